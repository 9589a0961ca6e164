// pretends: asks which program it is in
#[leakcheck::test]
async fn a_scan_leaves_no_task_behind() {
    assert!(!env!("CARGO_BIN_NAME").ends_with("start"));
}
