//! The modules of one crate, as they are written: their files, the names in them, and the paths that they mention.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Item, ItemMod, Lit, Meta, UseTree};

use crate::cfg::only_in_tests;
use crate::error::Error;

/// The modules of a crate: those of its library and of its binaries.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Every file, with its path inside the folder `src`.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) modules: Vec<Module>,
    pub(crate) roots: Vec<Root>,
}

/// Where a library or a binary starts.
#[derive(Debug)]
pub(crate) struct Root {
    /// The name that the order of its modules is listed under.
    pub(crate) name: String,
    /// The name that the other targets of the package call it by; binaries have none.
    pub(crate) library: Option<String>,
    pub(crate) module: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) parent: Option<usize>,
    /// The file that its text is in; an inline module shares that of its parent.
    pub(crate) file: usize,
    /// A name can be bound more than once: as a module and as a function, or in both arms of a `cfg`.
    pub(crate) names: HashMap<String, Vec<Binding>>,
    pub(crate) globs: Vec<Route>,
    pub(crate) mentions: Vec<Mention>,
}

#[derive(Debug, Clone)]
pub(crate) enum Binding {
    Module(usize),
    Item,
    /// A `macro_rules!`, which modules below its own see without importing it.
    Macro,
    /// The same with `#[macro_export]`, which the root of the crate shows.
    Exported(usize),
    Import(Route),
}

impl Binding {
    fn of(item: &Item) -> Self {
        if matches!(item, Item::Macro(_)) {
            Self::Macro
        } else {
            Self::Item
        }
    }
}

/// A path as it is written: `crate::task::TaskId`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    /// It starts with `::`.
    pub(crate) absolute: bool,
    pub(crate) segments: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Mention {
    pub(crate) route: Route,
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Import,
    Path,
    /// The name of a macro that is called.
    Call,
}

impl Tree {
    /// Adds a library or a binary and every module below it.
    pub(crate) fn add(
        &mut self,
        src: &Path,
        start: &Path,
        name: &str,
        library: Option<&str>,
    ) -> Result<(), Error> {
        let module = self.modules.len();
        self.roots.push(Root {
            name: name.to_owned(),
            library: library.map(ToOwned::to_owned),
            module,
        });
        let root = Module {
            name: "crate".to_owned(),
            ..Module::default()
        };
        let folder = start.parent().unwrap_or(src).to_owned();
        self.add_file(src, start, folder, root).map(drop)
    }

    /// Adds a module that has a file of its own, and the modules below it, whose files are in `folder`.
    fn add_file(&mut self, src: &Path, path: &Path, folder: PathBuf, module: Module) -> Result<usize, Error> {
        let text = fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        let parsed = syn::parse_file(&text).map_err(|source| Error::Syntax {
            path: path.to_owned(),
            source,
        })?;
        let file = self.files.len();
        self.files.push(path.strip_prefix(src).unwrap_or(path).to_owned());
        let id = self.modules.len();
        self.modules.push(Module { file, ..module });
        if only_in_tests(&parsed.attrs) {
            return Ok(id);
        }
        let mut reader = Reader {
            tree: self,
            src,
            path,
            folder,
            module: id,
            blocks: 0,
            error: None,
        };
        reader.visit_file(&parsed);
        reader.error.map_or(Ok(id), Err)
    }
}

struct Reader<'a> {
    tree: &'a mut Tree,
    src: &'a Path,
    path: &'a Path,
    /// Where the files of child modules are.
    folder: PathBuf,
    module: usize,
    /// How many function bodies deep.
    blocks: usize,
    error: Option<Error>,
}

impl Reader<'_> {
    fn current(&mut self) -> Option<&mut Module> {
        self.tree.modules.get_mut(self.module)
    }

    fn bind(&mut self, name: String, binding: Binding) {
        if let Some(module) = self.current() {
            module.names.entry(name).or_default().push(binding);
        }
    }

    /// Shows a macro of the current module at the root of the crate.
    fn export(&mut self, name: String) {
        let mut root = self.module;
        while let Some(parent) = self.tree.modules.get(root).and_then(|module| module.parent) {
            root = parent;
        }
        if let Some(module) = self.tree.modules.get_mut(root) {
            let binding = Binding::Exported(self.module);
            module.names.entry(name).or_default().push(binding);
        }
    }

    fn mention(&mut self, route: Route, span: Span, kind: Kind) {
        let line = span.start().line;
        if let Some(module) = self.current() {
            module.mentions.push(Mention { route, line, kind });
        }
    }

    fn add_module(&mut self, item: &ItemMod) -> Result<(), Error> {
        let name = plain(&item.ident);
        let module = Module {
            name: name.clone(),
            parent: Some(self.module),
            file: self.tree.modules.get(self.module).map_or(0, |module| module.file),
            ..Module::default()
        };
        if let Some((_, items)) = &item.content {
            let id = self.tree.modules.len();
            self.tree.modules.push(module);
            self.bind(name.clone(), Binding::Module(id));
            let outer = std::mem::replace(&mut self.module, id);
            let inside = self.folder.join(&name);
            let folder = std::mem::replace(&mut self.folder, inside);
            for item in items {
                self.visit_item(item);
            }
            self.module = outer;
            self.folder = folder;
            return Ok(());
        }
        let named = path_attribute(&item.attrs).map(|named| self.path.with_file_name(named));
        let flat = self.folder.join(format!("{name}.rs"));
        let nested = self.folder.join(&name).join("mod.rs");
        let path = named
            .into_iter()
            .chain([flat, nested])
            .find(|path| path.is_file())
            .ok_or_else(|| Error::NoFile {
                path: self.path.to_owned(),
                name: name.clone(),
            })?;
        let parent = path.parent().unwrap_or(self.src);
        let folder = if path.ends_with("mod.rs") {
            parent.to_owned()
        } else {
            parent.join(path.file_stem().unwrap_or_default())
        };
        let id = self.tree.add_file(self.src, &path, folder, module)?;
        self.bind(name, Binding::Module(id));
        Ok(())
    }

    /// Every leaf of a `use`.
    fn import(&mut self, absolute: bool, before: &[String], tree: &UseTree) {
        let with = |ident: &Ident| {
            let mut segments = before.to_vec();
            segments.push(plain(ident));
            segments
        };
        match tree {
            UseTree::Path(path) => self.import(absolute, &with(&path.ident), &path.tree),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(absolute, before, tree);
                }
            }
            UseTree::Glob(glob) => {
                let route = Route {
                    absolute,
                    segments: before.to_vec(),
                };
                if let Some(module) = self.current() {
                    module.globs.push(route.clone());
                }
                self.mention(route, glob.star_token.spans[0], Kind::Import);
            }
            UseTree::Name(name) => self.import_as(absolute, before, &name.ident, &name.ident),
            UseTree::Rename(rename) => self.import_as(absolute, before, &rename.ident, &rename.rename),
        }
    }

    fn import_as(&mut self, absolute: bool, before: &[String], ident: &Ident, bound: &Ident) {
        let mut segments = before.to_vec();
        // `use a::{self}` imports `a`.
        if ident != "self" || segments.is_empty() {
            segments.push(plain(ident));
        }
        let name = if bound == "self" {
            segments.last().cloned().unwrap_or_default()
        } else {
            plain(bound)
        };
        let route = Route { absolute, segments };
        if name != "_" {
            self.bind(name, Binding::Import(route.clone()));
        }
        self.mention(route, ident.span(), Kind::Import);
    }

    /// Paths of at least two segments among the tokens of a macro, which no parser knows the grammar of.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let colons = |at: usize| matches!((tokens.get(at), tokens.get(at + 1)), (Some(TokenTree::Punct(a)), Some(TokenTree::Punct(b))) if a.as_char() == ':' && b.as_char() == ':');
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Ident(first) => {
                    let before = at.saturating_sub(3);
                    let absolute = at >= 3 && colons(before);
                    let mut segments = vec![plain(first)];
                    while colons(at)
                        && let Some(TokenTree::Ident(next)) = tokens.get(at + 2)
                    {
                        segments.push(plain(next));
                        at += 3;
                    }
                    if segments.len() > 1 {
                        self.mention(Route { absolute, segments }, first.span(), Kind::Path);
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    /// The same for attributes, where a path may also be in quotes: `#[serde(with = "crate::time")]`.
    fn scan_quoted(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.scan_quoted(group.stream()),
                TokenTree::Literal(literal) => {
                    if let Lit::Str(text) = Lit::new(literal)
                        && let Ok(path) = text.parse::<syn::Path>()
                        && path.segments.len() > 1
                    {
                        self.mention(route(&path), text.span(), Kind::Path);
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if self.error.is_some() || only_in_tests(attributes(item)) {
            return;
        }
        if let Item::Mod(module) = item {
            if let Err(error) = self.add_module(module) {
                self.error = Some(error);
            }
            return;
        }
        if self.blocks == 0
            && let Some(ident) = name(item)
        {
            self.bind(plain(ident), Binding::of(item));
            if attributes(item)
                .iter()
                .any(|attr| attr.path().is_ident("macro_export"))
            {
                self.export(plain(ident));
            }
        }
        if let Item::Use(import) = item {
            self.import(import.leading_colon.is_some(), &[], &import.tree);
            return;
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attrs = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Macro(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            _ => return,
        };
        if !only_in_tests(attrs) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !only_in_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !only_in_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        self.blocks += 1;
        visit::visit_block(self, block);
        self.blocks -= 1;
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first() {
            self.mention(route(path), first.ident.span(), Kind::Path);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Some(first) = call.path.segments.first() {
            self.mention(route(&call.path), first.ident.span(), Kind::Call);
        }
        self.scan(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        match &attribute.meta {
            // Documentation may point anywhere.
            meta if meta.path().is_ident("doc") => {}
            Meta::List(list) => {
                self.visit_path(&list.path);
                self.scan(list.tokens.clone());
                self.scan_quoted(list.tokens.clone());
            }
            meta => visit::visit_meta(self, meta),
        }
    }

    /// `pub(in crate::task)` says who may see, not what is used.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

fn route(path: &syn::Path) -> Route {
    Route {
        absolute: path.leading_colon.is_some(),
        segments: path
            .segments
            .iter()
            .map(|segment| plain(&segment.ident))
            .collect(),
    }
}

/// Without `r#`.
fn plain(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map_or(text.clone(), ToOwned::to_owned)
}

fn path_attribute(attrs: &[Attribute]) -> Option<String> {
    attrs.iter().find_map(|attr| match &attr.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}

fn name(item: &Item) -> Option<&Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Macro(item) => item.ident.as_ref(),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::TraitAlias(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        Item::Union(item) => Some(&item.ident),
        _ => None,
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
