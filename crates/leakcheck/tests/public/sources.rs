//! The modules of a crate, read from its sources.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Item, Type, UseTree, Visibility};

/// The modules, by their paths from the root, which is empty.
pub(crate) struct Sources(BTreeMap<Vec<String>, Module>);

struct Module {
    items: Vec<Item>,
    /// What has to be so that the module is compiled.
    conditions: Vec<Attribute>,
}

/// An item, and the module that it stands in.
pub(crate) type Place = (Vec<String>, Item);

/// What a `pub use` leads to.
pub(crate) enum Target {
    Here(Box<Place>),
    /// In another crate, with this path.
    Elsewhere(Vec<String>),
}

impl Sources {
    /// Reads the modules from `lib.rs` on, but for those of unit tests.
    pub(crate) fn read(src: &Path) -> Self {
        let mut sources = Self(BTreeMap::new());
        sources.add(Vec::new(), &[], parse(&src.join("lib.rs")), src);
        sources
    }

    fn add(&mut self, path: Vec<String>, conditions: &[Attribute], items: Vec<Item>, folder: &Path) {
        for item in &items {
            let Item::Mod(module) = item else { continue };
            if is_for_tests(&module.attrs) {
                continue;
            }
            let name = module.ident.to_string();
            let below = folder.join(&name);
            let inner = match &module.content {
                Some((_, items)) => items.clone(),
                None => parse(&file_of(folder, &name)),
            };
            let own = module.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned();
            let conditions: Vec<_> = conditions.iter().cloned().chain(own).collect();
            self.add([&path[..], &[name]].concat(), &conditions, inner, &below);
        }
        self.0.insert(path, Module { items, conditions: conditions.to_vec() });
    }

    pub(crate) fn items(&self, module: &[String]) -> &[Item] {
        self.0.get(module).map_or(&[], |module| &module.items)
    }

    pub(crate) fn conditions(&self, module: &[String]) -> &[Attribute] {
        self.0.get(module).map_or(&[], |module| &module.conditions)
    }

    /// All items of the crate, with their modules.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Vec<String>, &Item)> {
        self.0.iter().flat_map(|(path, module)| module.items.iter().map(move |item| (path, item)))
    }

    /// What the leaves of a `use` lead to, each with the name that it gets.
    pub(crate) fn follow(&self, module: &[String], tree: &UseTree) -> Vec<(String, Target)> {
        let mut leaves = Vec::new();
        collect(tree, &mut Vec::new(), &mut leaves);
        leaves.into_iter().flat_map(|(name, path)| self.resolve(module, name, path)).collect()
    }

    fn resolve(&self, module: &[String], name: String, path: Vec<String>) -> Vec<(String, Target)> {
        let Some(absolute) = self.absolute(module, &path) else { return vec![(name, Target::Elsewhere(path))] };
        let (last, parent) = absolute.split_last().expect("a use has a name");
        let mut found = Vec::new();
        for item in self.items(parent) {
            if last == "*" && is_public(item) {
                found.extend(name_of(item).map(|name| (name, Target::Here(Box::new((parent.to_vec(), item.clone()))))));
            } else if name_of(item).as_ref() == Some(last) {
                found.push((name.clone(), Target::Here(Box::new((parent.to_vec(), item.clone())))));
            } else if let Item::Use(item) = item {
                // Only the leaf of this name: modules use one another, so all leaves would lead around in circles.
                let mut leaves = Vec::new();
                collect(&item.tree, &mut Vec::new(), &mut leaves);
                let leads = leaves.into_iter().filter(|(seen, _)| seen == last);
                found.extend(leads.flat_map(|(_, path)| self.resolve(parent, name.clone(), path)));
            }
        }
        assert!(!found.is_empty(), "{} leads to nothing that can be read: mend tests/public", absolute.join("::"));
        found
    }

    /// The path from the root; `None` if it leads to another crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let child = [module, std::slice::from_ref(first)].concat();
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([module, rest].concat()),
            "super" => self.absolute(&module[..module.len() - 1], &[&["self".to_owned()], rest].concat()),
            _ => self.0.contains_key(&child).then(|| [&child[..], rest].concat()),
        }
    }
}

/// The names that a `use` brings, each with its path.
fn collect(tree: &UseTree, path: &mut Vec<String>, leaves: &mut Vec<(String, Vec<String>)>) {
    let to = |path: &[String], name: String| [path, &[name]].concat();
    match tree {
        UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            collect(&inner.tree, path, leaves);
            path.pop();
        }
        UseTree::Name(name) => leaves.push((name.ident.to_string(), to(path, name.ident.to_string()))),
        UseTree::Rename(name) => leaves.push((name.rename.to_string(), to(path, name.ident.to_string()))),
        UseTree::Glob(_) => leaves.push(("*".to_owned(), to(path, "*".to_owned()))),
        UseTree::Group(group) => group.items.iter().for_each(|tree| collect(tree, path, leaves)),
    }
}

pub(crate) fn parse(file: &Path) -> Vec<Item> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())).items
}

fn file_of(folder: &Path, name: &str) -> PathBuf {
    let beside = folder.join(format!("{name}.rs"));
    if beside.exists() { beside } else { folder.join(name).join("mod.rs") }
}

pub(crate) fn name_of(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Mod(item) => item.ident.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        _ => return None,
    })
}

/// Whether others see the item, where they see its module.
pub(crate) fn is_public(item: &Item) -> bool {
    let (vis, attrs) = match item {
        Item::Const(item) => (&item.vis, &item.attrs),
        Item::Enum(item) => (&item.vis, &item.attrs),
        Item::Fn(item) => (&item.vis, &item.attrs),
        Item::Mod(item) => (&item.vis, &item.attrs),
        Item::Static(item) => (&item.vis, &item.attrs),
        Item::Struct(item) => (&item.vis, &item.attrs),
        Item::Trait(item) => (&item.vis, &item.attrs),
        Item::Type(item) => (&item.vis, &item.attrs),
        Item::Use(item) => (&item.vis, &item.attrs),
        Item::Macro(item) => return item.attrs.iter().any(|attr| attr.path().is_ident("macro_export")),
        _ => return false,
    };
    matches!(vis, Visibility::Public(_)) && !is_hidden(attrs)
}

pub(crate) fn is_hidden(attrs: &[Attribute]) -> bool {
    is_for_tests(attrs) || attrs.iter().any(|attr| attr.path().is_ident("doc") && said(attr).contains("hidden"))
}

fn is_for_tests(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| attr.path().is_ident("cfg") && said(attr) == "test")
}

/// What stands in the attribute's parentheses.
pub(crate) fn said(attr: &Attribute) -> String {
    attr.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default()
}

/// The name of the type that an `impl` is for.
pub(crate) fn type_name(ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    Some(path.path.segments.last()?.ident.to_string())
}
