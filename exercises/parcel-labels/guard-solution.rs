//! A guard that tells the leak from its fix.

use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_label_leaves_no_renewal_behind() {
    let world = World::open().await.unwrap();
    let labels = leakcheck::scope();
    // Each four: two are printed, one is refused, and for one the printer hangs up.
    exercise::all((0..8).map(|parcel| world.unit(parcel))).await.unwrap();
    // The service lives on; only the labels are over.
    labels.assert().await;
}
