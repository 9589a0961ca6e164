//! Text for a terminal of any width. Pure.

/// The text in lines of at most `width` characters, the first after `head`, the others as far in. Words that are longer are cut.
pub fn wrapped(head: &str, text: &str, width: usize) -> Vec<String> {
    let indent = head.chars().count();
    let room = width.saturating_sub(indent).max(10);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let used = line.chars().count();
            let space = usize::from(used > 0);
            if used + space + word.len() <= room {
                line.extend((space == 1).then_some(' '));
                line.extend(word);
                break;
            }
            if used > 0 {
                lines.push(std::mem::take(&mut line));
                continue;
            }
            let rest = word.split_off(room);
            lines.push(word.into_iter().collect());
            word = rest;
        }
    }
    lines.push(line);
    let place = |(at, line): (usize, String)| {
        if at == 0 { format!("{head}{line}") } else { format!("{:indent$}{line}", "") }
    };
    lines.into_iter().enumerate().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_width_and_stand_below_each_other() {
        let lines = wrapped("hint 1: ", "one two three four five", 20);
        assert_eq!(lines, ["hint 1: one two", "        three four", "        five"]);
        assert_eq!(wrapped("", "exercises/upload-scan/start.rs", 20), ["exercises/upload-sca", "n/start.rs"]);
        assert_eq!(wrapped("a: ", "", 20), ["a: "]);
        for width in 1..40 {
            let lines = wrapped("- ", "a few words andonethatisverylongindeed", width);
            assert!(lines.iter().all(|line| line.chars().count() <= width.max(12)), "{width}: {lines:?}");
        }
    }
}
