//! A guard that tells the leak from its fix.

use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn an_album_leaves_no_worker_behind() {
    let world = World::open().await.unwrap();
    let albums = leakcheck::scope();
    for album in 0..5 {
        world.unit(album).await.unwrap();
    }
    // The importer lives on, with its pages; only the albums are done.
    albums.assert().await;
}
