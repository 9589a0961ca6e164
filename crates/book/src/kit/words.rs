//! The words of a text, and of a name. Pure.

/// A letter of a word or of a name.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The words of a name: `bad_uploads`, `BadUpload`, `UPLOADS_MAX`.
pub(super) fn split(name: &str) -> Vec<&str> {
    let (mut words, mut start, mut before) = (Vec::new(), 0, ' ');
    for (at, c) in name.char_indices() {
        let ends = c == '_'
            || before == '_'
            || (c.is_uppercase() && !before.is_uppercase())
            || (c.is_numeric() != before.is_numeric());
        if ends && at > start {
            words.push(&name[start..at]);
            start = at;
        }
        before = c;
    }
    words.push(&name[start..]);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_split_where_its_words_meet() {
        assert_eq!(split("bad_uploads"), ["bad", "_", "uploads"]);
        assert_eq!(split("BadUpload2"), ["Bad", "Upload", "2"]);
        assert_eq!(split("UPLOADS_MAX"), ["UPLOADS", "_", "MAX"]);
    }
}
