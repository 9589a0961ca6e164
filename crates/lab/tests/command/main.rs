//! The lab as its reader meets it: a command that ends as it should, whatever happens around it.

#[cfg(target_os = "linux")]
mod build;
mod common;
mod doctor;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod serve;
