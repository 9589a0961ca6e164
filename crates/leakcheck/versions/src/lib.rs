//! Only the tests matter: what leakcheck promises, held against one version of Tokio.
