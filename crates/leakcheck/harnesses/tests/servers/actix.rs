//! `#[actix_rt::test]` and `#[actix_web::test]` build a runtime with a `LocalSet`, whose tasks no hook sees. The flavor
//! `local` gives `actix_rt::spawn` what it needs, and sees what it spawns.

use std::future::pending;

use actix_web::{App, HttpResponse, test as actix, web};
use harnesses::{run_ignored, spawned_at};

#[leakcheck::test(flavor = "local")]
async fn spawn_needs_no_local_set() {
    let kept = std::rc::Rc::new(42);
    let answer = actix_rt::spawn(async move { *kept });
    assert_eq!(answer.await.unwrap(), 42);
}

async fn index() -> HttpResponse {
    actix_rt::spawn(async {}).await.unwrap();
    HttpResponse::Ok().body("pong")
}

#[leakcheck::test(flavor = "local", start_paused = true)]
async fn a_service_answers() {
    let app = actix::init_service(App::new().route("/", web::get().to(index))).await;
    let answer = actix::call_and_read_body(&app, actix::TestRequest::get().to_request()).await;
    assert_eq!(answer, "pong");
}

/// What is not seen: `actix_rt::System`, which brings a `LocalSet`, and the threads of its arbiters and of `HttpServer`.
#[test]
fn a_system_is_attached_to_without_its_local_tasks() {
    let mut watch = None;
    let system = actix_rt::System::with_tokio_rt(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        watch = Some(leakcheck::attach(builder.enable_all()).install());
        builder.build().unwrap()
    });
    let watch = watch.unwrap();
    let report = system.block_on(async move {
        actix_rt::spawn(pending::<()>());
        tokio::spawn(pending::<()>()); // LEAK: system
        watch.report()
    });
    // The first task is that of actix's own controller, spawned on the `LocalSet` too: neither is there.
    assert_eq!(report.tasks(), 1, "{report}");
    assert!(report.to_string().contains(&spawned_at!("system")), "{report}");
}

mod must_fail {
    use super::*;

    async fn leaky() -> HttpResponse {
        actix_rt::spawn(pending::<()>()); // LEAK: handler
        HttpResponse::Ok().finish()
    }

    #[leakcheck::test(flavor = "local")]
    #[ignore = "fails on purpose"]
    async fn a_handler_leaks() {
        let app = actix::init_service(App::new().route("/", web::get().to(leaky))).await;
        actix::call_service(&app, actix::TestRequest::get().to_request()).await;
    }

    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn another_flavor() {
        actix_rt::spawn(async {});
    }
}

#[test]
fn a_handlers_leak_is_reported() {
    let run = run_ignored("actix::must_fail");
    run.counts(0, 2);
    run.says("actix::must_fail::a_handler_leaks", &["leak: 1 task left\n", &spawned_at!("handler")]);
    run.says("actix::must_fail::another_flavor", &["`spawn_local` called from outside"]);
}
