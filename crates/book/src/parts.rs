//! The parts of the book: what `SUMMARY.md` lists under each title.

use evidence::catalogue::page;
use mdbook_preprocessor::book::{Book, BookItem};

/// Chapters under one title of `SUMMARY.md`.
pub(super) struct Part {
    pub(super) title: String,
    pub(super) chapters: Vec<Listed>,
}

/// A chapter.
pub(super) struct Listed {
    pub(super) page: String,
    pub(super) title: String,
    /// How many chapters it stands below.
    pub(super) depth: usize,
}

/// The parts of a book. What stands before the first title is where the map is.
pub(super) fn of(book: &Book) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for item in book.iter() {
        match item {
            BookItem::PartTitle(title) => parts.push(Part { title: title.clone(), chapters: Vec::new() }),
            BookItem::Chapter(chapter) => {
                let Some((part, page)) = parts.last_mut().zip(chapter.source_path.as_deref().and_then(page)) else {
                    continue;
                };
                part.chapters.push(Listed { page, title: chapter.name.clone(), depth: chapter.parent_names.len() });
            }
            BookItem::Separator => {}
        }
    }
    parts
}
