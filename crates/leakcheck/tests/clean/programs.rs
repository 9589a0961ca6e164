//! Programs that leave no task behind: each is the repaired form of something that leaks.

mod channels;
mod crowds;
mod daemons;
mod network;
mod outside;
mod owners;
mod slow;
mod sync;
mod timers;

use std::{future::Future, pin::Pin};

/// A runtime to try a program on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    CurrentThread,
    /// One thread, and the clock stands still from the start.
    Paused,
    MultiThread,
}

pub(crate) const EVERYWHERE: &[Flavor] = &[Flavor::CurrentThread, Flavor::Paused, Flavor::MultiThread];
/// For programs that wait for something outside the runtime and for a timer: with a paused clock the timer would win.
pub(crate) const REAL_TIME: &[Flavor] = &[Flavor::CurrentThread, Flavor::MultiThread];
/// For what needs a second worker.
pub(crate) const TWO_WORKERS: &[Flavor] = &[Flavor::MultiThread];

pub(crate) type Body = Pin<Box<dyn Future<Output = ()>>>;

/// A program that must never be blamed.
#[derive(Clone, Copy)]
pub(crate) struct Clean {
    pub(crate) name: &'static str,
    pub(crate) flavors: &'static [Flavor],
    /// The allowances of the program, if it keeps a daemon.
    pub(crate) allow: &'static [&'static str],
    pub(crate) run: fn() -> Body,
}

/// Lists the programs of a module by the flavors they support.
macro_rules! programs {
    ($($flavors:ident: [$($name:ident),+ $(,)?],)+) => {
        pub(crate) fn all() -> Vec<$crate::programs::Clean> {
            vec![$($($crate::programs::Clean {
                name: stringify!($name),
                flavors: $crate::programs::$flavors,
                allow: &[],
                run: || Box::pin($name()),
            },)+)+]
        }
    };
}
use programs;

pub(crate) fn all() -> Vec<Clean> {
    [owners::all, channels::all, timers::all, slow::all, sync::all, network::all, outside::all, crowds::all]
        .into_iter()
        .chain([daemons::all as fn() -> Vec<Clean>])
        .flat_map(|module| module())
        .collect()
}
