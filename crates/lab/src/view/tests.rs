use super::*;

#[test]
fn lines_that_a_narrower_terminal_broke_are_counted_as_it_shows_them() {
    assert_eq!(rows_on_screen(&[80, 0, 10], 80), 3);
    assert_eq!(rows_on_screen(&[80, 0, 10], 50), 4);
    assert_eq!(rows_on_screen(&[], 50), 0);
}
