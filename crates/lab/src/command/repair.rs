//! Arguments of the programs that stand where the lab's own belong: the whole command as it should be.

use clap::Command;

/// The command line with what `pair` does not know moved behind `--`, where that makes it right.
pub fn repair(cli: &Command, args: &[String]) -> Option<String> {
    let pair = cli.find_subcommand("pair")?;
    if args.get(1).map(String::as_str) != Some("pair") || args.iter().any(|arg| arg == "--") {
        return None;
    }
    // Whether a word after an unknown option is its value is not known: what can be parsed in the end is meant.
    [true, false].into_iter().find_map(|with_values| {
        let (own, programs) = divide(pair, &args[2..], with_values);
        let whole = [&args[..2], &own, &["--".to_owned()], &programs].concat();
        let matches = cli.clone().try_get_matches_from(&whole).ok()?;
        let name = matches.subcommand_matches("pair")?.get_one::<String>("name")?;
        // A number is no name, but an option's value.
        (!name.contains(|c: char| c.is_ascii_digit())).then_some(())?;
        Some(format!("cargo lab {}", whole[1..].join(" ")))
    })
}

/// What `pair` itself knows, and the rest.
fn divide(pair: &Command, args: &[String], with_values: bool) -> (Vec<String>, Vec<String>) {
    let known = |arg: &str| {
        let name = arg.split('=').next()?.strip_prefix("--")?;
        pair.get_arguments().find(|known| known.get_long() == Some(name))
    };
    let (mut own, mut programs, mut args) = (Vec::new(), Vec::new(), args.iter().peekable());
    while let Some(arg) = args.next() {
        let (to, takes_next) = match known(arg) {
            Some(option) => (&mut own, option.get_action().takes_values()),
            None if arg.starts_with('-') => (&mut programs, with_values),
            None => (&mut own, false),
        };
        to.push(arg.clone());
        if takes_next && !arg.contains('=') {
            to.extend(args.next_if(|next| !next.starts_with('-')).cloned());
        }
    }
    (own, programs)
}

#[cfg(test)]
mod tests {
    use clap::Args;

    use super::*;

    fn check(line: &str, expected: Option<&str>) {
        let cli = Command::new("cargo lab")
            .subcommand(crate::command::Pair::augment_args(Command::new("pair")))
            .subcommand(Command::new("list"));
        let args: Vec<_> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(repair(&cli, &args).as_deref(), expected, "{line}");
    }

    #[test]
    fn what_is_the_programs_moves_behind_the_dashes_with_its_value() {
        check("lab pair x --units 5", Some("cargo lab pair x -- --units 5"));
        check("lab pair --units 5 x --json", Some("cargo lab pair x --json -- --units 5"));
        check("lab pair x --sides leak,fix --rate=max", Some("cargo lab pair x --sides leak,fix -- --rate=max"));
        check("lab pair --no-console x", Some("cargo lab pair x -- --no-console"));
    }

    #[test]
    fn what_is_wrong_otherwise_is_left_to_the_parser() {
        check("lab pair", None);
        check("lab pair --units 5", None);
        check("lab pair x y", None);
        check("lab list --units 5", None);
        check("lab pair x --units 5 -- --rate max", None);
    }
}
