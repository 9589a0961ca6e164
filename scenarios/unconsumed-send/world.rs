//! The outside world: eight suppliers that answer a price request, each at its own pace.

use std::time::Duration;

use tokio::time::sleep;

/// The suppliers that every search asks.
pub(crate) const SUPPLIERS: [Supplier; 8] = [
    Supplier { name: "Aurora", answers_in_ms: 5, price: 119 },
    Supplier { name: "Borealis", answers_in_ms: 25, price: 104 },
    Supplier { name: "Cumulus", answers_in_ms: 30, price: 131 },
    Supplier { name: "Dorado", answers_in_ms: 35, price: 99 },
    Supplier { name: "Equinox", answers_in_ms: 40, price: 140 },
    Supplier { name: "Foehn", answers_in_ms: 45, price: 112 },
    Supplier { name: "Gale", answers_in_ms: 50, price: 108 },
    Supplier { name: "Halo", answers_in_ms: 55, price: 125 },
];

/// A visitor takes any offer up to this price.
pub(crate) const PRICE_MAX: u32 = 150;

#[derive(Clone, Copy)]
pub(crate) struct Supplier {
    pub(crate) name: &'static str,
    answers_in_ms: u64,
    price: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Offer {
    pub(crate) supplier: &'static str,
    pub(crate) price: u32,
}

/// Asks one supplier. A real service would send a request here, with a deadline.
pub(crate) async fn ask(supplier: Supplier) -> Offer {
    sleep(Duration::from_millis(supplier.answers_in_ms)).await;
    Offer { supplier: supplier.name, price: supplier.price }
}
