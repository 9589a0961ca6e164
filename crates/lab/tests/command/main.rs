//! The lab as its reader meets it: a command that ends as it should, whatever happens around it.

#[cfg(target_os = "linux")]
mod build;
#[cfg(target_os = "linux")]
mod check;
mod common;
mod doctor;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod large;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod serve;
#[cfg(target_os = "linux")]
mod speech;
#[cfg(target_os = "linux")]
mod terminal;
