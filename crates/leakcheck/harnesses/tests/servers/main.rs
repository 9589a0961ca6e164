//! Ways in for harnesses that build their own runtime, and the in-process servers of axum and tonic.

mod actix;
mod axum;
mod local_set;
mod shared_runtime;
mod sqlx;
mod tonic;
