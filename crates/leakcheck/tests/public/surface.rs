//! The public surface, one line for each thing that somebody could use.

use std::{collections::BTreeSet, fs, path::Path};

use syn::{Attribute, Expr, Fields, ImplItem, Item, ItemImpl, Lit, TraitItem, Visibility};

use crate::{
    render::{bounds, generics, signature, text},
    sources::{Place, Sources, Target, is_hidden, is_public, name_of, parse, said, type_name},
};

/// What the crate in this folder offers, in a fixed order.
pub(crate) fn of(here: &Path) -> Vec<String> {
    let sources = Sources::read(&here.join("src"));
    let mut surface = Surface { sources: &sources, conditions: Vec::new(), lines: BTreeSet::new() };
    surface.add_module(&[], "leakcheck");
    let mut lines = surface.lines;
    lines.extend(features(&here.join("Cargo.toml")));
    lines.extend(arguments(&here.join("../leakcheck-macros/src")));
    let mut lines: Vec<_> = lines.into_iter().collect();
    // What belongs to one type stands together.
    lines.sort_by_key(|line| {
        line.split_once("leakcheck::").map(|(_, path)| path.split(['<', '(', ':']).next().map(str::to_owned))
    });
    lines
}

struct Surface<'s> {
    sources: &'s Sources,
    /// What has to be so that there is what is added now: those of its module, and of the `use` that leads to it.
    conditions: Vec<Attribute>,
    lines: BTreeSet<String>,
}

impl Surface<'_> {
    fn add_module(&mut self, module: &[String], shown: &str) {
        for item in self.sources.items(module).iter().filter(|item| is_public(item)) {
            match item {
                Item::Use(item) => {
                    for (name, target) in self.sources.follow(module, &item.tree) {
                        match target {
                            Target::Here(place) => self.add_item(&place, &format!("{shown}::{name}"), &item.attrs),
                            Target::Elsewhere(path) => {
                                self.add(&item.attrs, "", format!("{shown}::{name}: {}", path.join("::")))
                            }
                        }
                    }
                }
                item => {
                    let name = name_of(item).expect("what is public has a name");
                    self.add_item(&(module.to_vec(), item.clone()), &format!("{shown}::{name}"), &[]);
                }
            }
        }
    }

    /// Adds the line of an item, and of all that belongs to it.
    fn add_item(&mut self, place: &Place, path: &str, used_under: &[Attribute]) {
        let outer = self.conditions.clone();
        self.conditions.extend(used_under.iter().chain(self.sources.conditions(&place.0)).cloned());
        self.add_whole(place, path);
        self.conditions = outer;
    }

    fn add_whole(&mut self, (module, item): &Place, path: &str) {
        match item {
            Item::Mod(item) => {
                self.add_module(&[&module[..], &[item.ident.to_string()]].concat(), path);
            }
            Item::Fn(item) => self.add(&item.attrs, "", signature(path, &item.sig)),
            Item::Const(item) => self.add(&item.attrs, "", format!("const {path}: {}", text(&item.ty))),
            Item::Static(item) => self.add(&item.attrs, "", format!("static {path}: {}", text(&item.ty))),
            Item::Type(item) => {
                self.add(&item.attrs, "", format!("type {path}{} = {}", generics(&item.generics), text(&item.ty)))
            }
            Item::Macro(item) => self.add(&item.attrs, "", format!("macro {path}!")),
            Item::Trait(item) => {
                self.add(
                    &item.attrs,
                    "",
                    format!("trait {path}{}{}", generics(&item.generics), bounds(&item.generics)),
                );
                for inner in &item.items {
                    if let TraitItem::Fn(method) = inner {
                        self.add(&method.attrs, "", signature(&format!("{path}::{}", method.sig.ident), &method.sig));
                    } else {
                        self.add(&[], "", format!("{path}: {}", text(inner)));
                    }
                }
            }
            Item::Struct(item) => {
                self.add(
                    &item.attrs,
                    "",
                    format!("struct {path}{}{}", generics(&item.generics), bounds(&item.generics)),
                );
                self.add_fields(&item.fields, path, false);
                self.add_impls(module, &item.ident.to_string(), &item.attrs, path);
            }
            Item::Enum(item) => {
                self.add(&item.attrs, "", format!("enum {path}{}{}", generics(&item.generics), bounds(&item.generics)));
                for variant in item.variants.iter().filter(|variant| !is_hidden(&variant.attrs)) {
                    let name = format!("{path}::{}", variant.ident);
                    self.add(&variant.attrs, "", format!("variant {name}"));
                    self.add_fields(&variant.fields, &name, true);
                }
                self.add_impls(module, &item.ident.to_string(), &item.attrs, path);
            }
            other => panic!("{path} is public and of a kind that tests/public does not know: {}", text(other)),
        }
    }

    fn add_fields(&mut self, fields: &Fields, path: &str, all: bool) {
        for (place, field) in fields.iter().enumerate() {
            let public = all || matches!(field.vis, Visibility::Public(_));
            if public && !is_hidden(&field.attrs) {
                let name = field.ident.as_ref().map_or_else(|| place.to_string(), ToString::to_string);
                self.add(&field.attrs, "", format!("field {path}::{name}: {}", text(&field.ty)));
            }
        }
    }

    /// Adds what a type can do, wherever in the crate that is written.
    fn add_impls(&mut self, module: &[String], name: &str, attrs: &[Attribute], path: &str) {
        for derived in attrs.iter().filter(|attr| attr.path().is_ident("derive")) {
            said(derived)
                .split(',')
                .for_each(|derived| self.add(&[], "", format!("impl {} for {path}", derived.trim())));
        }
        let alone =
            self.sources.all().filter(|(_, item)| is_type(item) && name_of(item).as_deref() == Some(name)).count() == 1;
        let impls = self.sources.all().filter_map(|(of, item)| match item {
            Item::Impl(item) if type_name(&item.self_ty).as_deref() == Some(name) && (alone || of == module) => {
                Some((of.clone(), item.clone()))
            }
            _ => None,
        });
        let impls: Vec<_> = impls.collect();
        for (of, item) in impls.iter().filter(|(_, item)| !is_hidden(&item.attrs)) {
            let outer = self.conditions.clone();
            self.conditions.extend(self.sources.conditions(of).iter().cloned());
            self.add_impl(item, path);
            self.conditions = outer;
        }
    }

    fn add_impl(&mut self, item: &ItemImpl, path: &str) {
        // A lifetime says nothing that the type's own line does not say.
        let of = if item.generics.type_params().next().is_none() { String::new() } else { generics(&item.generics) };
        let of = format!("{of}{}", bounds(&item.generics));
        if let Some((of_trait, _)) = &item.trait_ {
            let name = of_trait.segments.last().map(text).unwrap_or_default();
            return self.add(&item.attrs, "", format!("impl{of} {name} for {path}"));
        }
        for inner in &item.items {
            match inner {
                ImplItem::Fn(method) if matches!(method.vis, Visibility::Public(_)) && !is_hidden(&method.attrs) => {
                    let said = signature(&format!("{path}::{}", method.sig.ident), &method.sig);
                    self.add(&[&item.attrs[..], &method.attrs].concat(), &of, said);
                }
                ImplItem::Const(inner) if matches!(inner.vis, Visibility::Public(_)) && !is_hidden(&inner.attrs) => {
                    self.add(&inner.attrs, &of, format!("const {path}::{}: {}", inner.ident, text(&inner.ty)));
                }
                _ => {}
            }
        }
    }

    /// Adds a line, with those attributes that matter to whoever uses the item.
    fn add(&mut self, attrs: &[Attribute], of: &str, line: String) {
        let mut words: Vec<_> = self
            .conditions
            .iter()
            .chain(attrs)
            .filter_map(|attr| match attr.path().get_ident()?.to_string().as_str() {
                "cfg" => Some(format!("#[cfg({})]", said(attr))),
                name @ ("non_exhaustive" | "must_use" | "deprecated") => Some(format!("#[{name}]")),
                _ => None,
            })
            .collect();
        words.sort();
        words.dedup();
        words.push(line);
        if !of.is_empty() {
            words.push(format!("in impl{of}"));
        }
        self.lines.insert(words.join(" "));
    }
}

fn is_type(item: &Item) -> bool {
    matches!(item, Item::Struct(_) | Item::Enum(_) | Item::Union(_) | Item::Type(_))
}

/// The names of the features, which somebody's manifest may have.
fn features(manifest: &Path) -> Vec<String> {
    let text = fs::read_to_string(manifest).unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
    let table = text.split_once("[features]\n").map_or("", |(_, rest)| rest);
    let lines = table.lines().take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| format!("feature {name}")).collect()
}

/// The names of the attribute's arguments, from the list that its error messages are made of.
fn arguments(src: &Path) -> Vec<String> {
    let list = parse(&src.join("args.rs")).into_iter().find_map(|item| match item {
        Item::Const(item) if item.ident == "ARGUMENTS" => Some(*item.expr),
        _ => None,
    });
    let list = match list {
        Some(Expr::Reference(list)) => *list.expr,
        other => other.expect("args.rs has the list ARGUMENTS"),
    };
    let Expr::Array(list) = list else { panic!("ARGUMENTS is an array") };
    let name = |element: &Expr| match element {
        Expr::Tuple(pair) => match pair.elems.first() {
            Some(Expr::Lit(name)) => match &name.lit {
                Lit::Str(name) => Some(format!("argument #[leakcheck::test({} = …)]", name.value())),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    list.elems.iter().map(|element| name(element).expect("each argument is a name and an example")).collect()
}
