//! `#[row]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{
    Attribute, Error, Expr, ExprLit, FnArg, GenericArgument, Ident, ImplItem, ImplItemFn, ItemImpl,
    Lifetime, Lit, Meta, MetaNameValue, Path, PathArguments, Result, ReturnType, Token, Type,
    TypeParamBound, TypeReference,
};

/// `columns = job::Column`, or nothing.
struct Arguments {
    columns: Option<Path>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream) -> Result<Self> {
        if input.is_empty() {
            return Ok(Self { columns: None });
        }
        let name: Ident = input.parse()?;
        if name != "columns" {
            return Err(Error::new_spanned(name, "expected `columns = …`"));
        }
        input.parse::<Token![=]>()?;
        let columns = Some(input.parse()?);
        Ok(Self { columns })
    }
}

/// A field of rows that the executor is not needed for.
struct Known {
    name: String,
    method: Ident,
    value: Type,
}

/// What a field says of the columns that it needs.
struct Reads {
    name: String,
    columns: Vec<Ident>,
    /// The object of the same row that stands below it.
    below: Option<Type>,
}

/// `Name`, `below` or `below = Type`.
enum Need {
    Column(Ident),
    Below(Type),
}

impl Parse for Need {
    fn parse(input: ParseStream) -> Result<Self> {
        let name: Ident = input.parse()?;
        if name != "below" {
            return Ok(Self::Column(name));
        }
        if !input.peek(Token![=]) {
            return Ok(Self::Below(syn::parse_quote!(Self)));
        }
        input.parse::<Token![=]>()?;
        Ok(Self::Below(input.parse()?))
    }
}

/// The object, its plain fields and their columns.
pub fn expand(arguments: TokenStream, mut input: ItemImpl) -> Result<TokenStream> {
    let Arguments { columns } = syn::parse2(arguments)?;
    let (mut plain, mut joint) = (Vec::new(), Vec::new());
    let mut reads = Vec::new();
    let mut methods = Vec::new();
    for item in &mut input.items {
        let ImplItem::Fn(method) = item else {
            return Err(Error::new_spanned(item, "a row has fields only"));
        };
        let name = graphql_name(method)?;
        if let Some(found) = take_reads(&mut method.attrs, &name)? {
            reads.push(found);
        }
        if method.sig.asyncness.is_none() {
            plain.push(Known::plain(method, name.clone())?);
            methods.push(method.clone());
            *method = resolver(method, &name)?;
        } else if method.sig.receiver().is_none() {
            let field = Known::joint(method, name.clone())?;
            methods.push(method.clone());
            *method = joint_resolver(method, &field)?;
            joint.push(field);
        }
    }
    for method in &mut methods {
        method.attrs.retain(|it| !it.path().is_ident("graphql"));
    }
    let of = &input.self_ty;
    let described = reads_of(of, columns.as_ref(), &reads)?;
    let written = written(of, &plain, &joint);
    Ok(quote! {
        impl #of {
            #(#methods)*
        }

        #[async_graphql::Object]
        #input

        #written
        #described
    })
}

impl Known {
    /// A field that is there at once.
    fn plain(method: &ImplItemFn, name: String) -> Result<Self> {
        let signature = &method.sig;
        let alone = matches!(signature.inputs.first(), Some(FnArg::Receiver(_)));
        if !alone || signature.inputs.len() != 1 {
            let message = "a field that is there at once takes `&self` alone";
            return Err(Error::new_spanned(signature, message));
        }
        let ReturnType::Type(_, value) = &signature.output else {
            return Err(Error::new_spanned(signature, "a field has a type"));
        };
        Ok(Self::of(method, name, value))
    }

    /// A field that is loaded for all rows together.
    fn joint(method: &ImplItemFn, name: String) -> Result<Self> {
        let signature = &method.sig;
        match found_by(&signature.output) {
            Some(value) if signature.inputs.len() == 2 => Ok(Self::of(method, name, value)),
            _ => {
                let message = "a field of all rows is `async fn(rows: &[Self], ctx: &Context<'_>) \
                               -> Result<impl Fn(&Self) -> …>`";
                Err(Error::new_spanned(signature, message))
            }
        }
    }

    fn of(method: &ImplItemFn, name: String, value: &Type) -> Self {
        let mut value = value.clone();
        Static.visit_type_mut(&mut value);
        Self {
            name,
            method: method.sig.ident.clone(),
            value,
        }
    }
}

/// The `T` of `-> Result<impl Fn(&Self) -> T>`.
fn found_by(output: &ReturnType) -> Option<&Type> {
    let ReturnType::Type(_, result) = output else {
        return None;
    };
    let Type::Path(result) = &**result else {
        return None;
    };
    let PathArguments::AngleBracketed(result) = &result.path.segments.last()?.arguments else {
        return None;
    };
    let Some(GenericArgument::Type(Type::ImplTrait(finds))) = result.args.first() else {
        return None;
    };
    finds.bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let PathArguments::Parenthesized(found) = &bound.path.segments.last()?.arguments else {
            return None;
        };
        match &found.output {
            ReturnType::Type(_, value) => Some(&**value),
            ReturnType::Default => None,
        }
    })
}

/// Elided lifetimes have no place outside of a function.
struct Static;

impl VisitMut for Static {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        let known = reference.lifetime.take();
        reference.lifetime =
            known.or_else(|| Some(Lifetime::new("'static", proc_macro2::Span::call_site())));
        syn::visit_mut::visit_type_reference_mut(self, reference);
    }
}

/// The same field for async-graphql, which wants all of them `async`.
fn resolver(method: &ImplItemFn, name: &str) -> Result<ImplItemFn> {
    let mut resolver = method.clone();
    let plain = &method.sig.ident;
    resolver.attrs = told(method, name)?;
    resolver.sig.asyncness = Some(Token![async](plain.span()));
    resolver.sig.ident = format_ident!("resolve_{plain}");
    resolver.block = syn::parse_quote!({ self.#plain() });
    Ok(resolver)
}

/// What async-graphql is told of a field that it does not resolve in a list: description, name and deprecation. There
/// nothing else would have an effect, least of all a guard.
fn told(method: &ImplItemFn, name: &str) -> Result<Vec<Attribute>> {
    let mut told = Vec::new();
    for attribute in &method.attrs {
        let path = attribute.path();
        if path.is_ident("doc") {
            told.push(attribute.clone());
        } else if path.is_ident("graphql") {
            for setting in settings(attribute)? {
                if setting.path().is_ident("deprecation") {
                    told.push(syn::parse_quote!(#[graphql(#setting)]));
                } else if !setting.path().is_ident("name") {
                    let message = "only an `async fn` with `&self` can have this";
                    return Err(Error::new_spanned(setting, message));
                }
            }
        } else if !path.is_ident("allow") && !path.is_ident("expect") {
            let message = "a field of a row cannot have this";
            return Err(Error::new_spanned(attribute, message));
        }
    }
    told.push(syn::parse_quote!(#[graphql(name = #name)]));
    Ok(told)
}

fn settings(attribute: &Attribute) -> Result<Punctuated<Meta, Token![,]>> {
    attribute.parse_args_with(Punctuated::parse_terminated)
}

/// The same field for a row that the executor resolves by itself.
fn joint_resolver(method: &ImplItemFn, field: &Known) -> Result<ImplItemFn> {
    let Known {
        name,
        method: joint,
        value,
    } = field;
    let resolve = format_ident!("resolve_{joint}");
    let told = told(method, name)?;
    Ok(syn::parse_quote! {
        #(#told)*
        async fn #resolve(&self, ctx: &async_graphql::Context<'_>) -> async_graphql::Result<#value> {
            let rows = std::slice::from_ref(self);
            let value = Self::#joint(rows, ctx).await?(self);
            Ok(value)
        }
    })
}

fn written(of: &Type, plain: &[Known], joint: &[Known]) -> TokenStream {
    let places: Vec<usize> = (0..plain.len()).collect();
    let names = plain.iter().map(|it| &it.name);
    let methods = plain.iter().map(|it| &it.method);
    let joint_places: Vec<usize> = (plain.len()..plain.len() + joint.len()).collect();
    let joint_names = joint.iter().map(|it| &it.name);
    let joint_methods = joint.iter().map(|it| &it.method);
    let all = plain.iter().chain(joint);
    let values = all.clone().map(|it| &it.value);
    let all_places = 0..all.count();
    quote! {
        impl crate::graphql::rows::Row for #of {
            fn plain(name: &str) -> Option<usize> {
                match name {
                    #(#names => Some(#places),)*
                    _ => None,
                }
            }

            fn joint(name: &str) -> Option<usize> {
                match name {
                    #(#joint_names => Some(#joint_places),)*
                    _ => None,
                }
            }

            fn below(field: usize, ctx: &async_graphql::Context<'_>) -> Option<crate::graphql::rows::Below> {
                match field {
                    #(#all_places => <#values as crate::graphql::json::Json>::below(ctx),)*
                    _ => None,
                }
            }

            fn write(&self, field: usize, below: &crate::graphql::rows::Below, out: &mut Vec<u8>) {
                match field {
                    #(#places => crate::graphql::json::Json::write(&self.#methods(), below, out),)*
                    _ => {}
                }
            }

            async fn load<'a>(
                field: usize,
                rows: &'a [Self],
                ctx: &'a async_graphql::Context<'_>,
            ) -> async_graphql::Result<crate::graphql::rows::Writer<'a, Self>> {
                match field {
                    #(#joint_places => {
                        let value = Self::#joint_methods(rows, ctx).await?;
                        Ok(Box::new(move |row, below, out| {
                            crate::graphql::json::Json::write(&value(row), below, out);
                        }))
                    })*
                    _ => Ok(Box::new(|_, _, out| crate::graphql::json::null(out))),
                }
            }
        }

        impl crate::graphql::json::Json for #of {
            fn below(ctx: &async_graphql::Context<'_>) -> Option<crate::graphql::rows::Below> {
                crate::graphql::rows::plain_below::<Self>(ctx)
            }

            fn write(&self, below: &crate::graphql::rows::Below, out: &mut Vec<u8>) {
                crate::graphql::rows::write_plain(self, below, out);
            }
        }
    }
}

fn reads_of(of: &Type, columns: Option<&Path>, reads: &[Reads]) -> Result<TokenStream> {
    let Some(columns) = columns else {
        return match reads.first() {
            None => Ok(TokenStream::new()),
            Some(_) => Err(Error::new_spanned(
                of,
                "`reads` needs `#[row(columns = …)]`",
            )),
        };
    };
    let arms = reads.iter().map(|it| {
        let Reads {
            name,
            columns: needs,
            below,
        } = it;
        let below = below.as_ref().map_or_else(
            || quote! { None },
            |below| quote! { Some(<#below as crate::graphql::rows::Reads>::reads) },
        );
        quote! {
            #name => Some(crate::graphql::rows::Needs {
                columns: &[#(#columns::#needs),*],
                below: #below,
            }),
        }
    });
    Ok(quote! {
        impl crate::graphql::rows::Reads for #of {
            type Column = #columns;

            fn reads(field: &str) -> Option<crate::graphql::rows::Needs<#columns>> {
                match field {
                    #(#arms)*
                    _ => None,
                }
            }
        }
    })
}

fn take_reads(attributes: &mut Vec<Attribute>, name: &str) -> Result<Option<Reads>> {
    let Some(place) = attributes.iter().position(|it| it.path().is_ident("reads")) else {
        return Ok(None);
    };
    let named = attributes
        .remove(place)
        .parse_args_with(Punctuated::<Need, Token![,]>::parse_terminated)?;
    let mut reads = Reads {
        name: name.to_owned(),
        columns: Vec::new(),
        below: None,
    };
    for need in named {
        match need {
            Need::Column(column) => reads.columns.push(column),
            Need::Below(of) => reads.below = Some(of),
        }
    }
    Ok(Some(reads))
}

/// The name of a field: as `#[graphql(name = "…")]` says, else that of the method in camel case.
fn graphql_name(method: &ImplItemFn) -> Result<String> {
    for attribute in method
        .attrs
        .iter()
        .filter(|it| it.path().is_ident("graphql"))
    {
        for setting in settings(attribute)? {
            if let Meta::NameValue(MetaNameValue {
                path,
                value:
                    Expr::Lit(ExprLit {
                        lit: Lit::Str(name),
                        ..
                    }),
                ..
            }) = setting
                && path.is_ident("name")
            {
                return Ok(name.value());
            }
        }
    }
    let mut upper = false;
    let mut name = String::new();
    for letter in method.sig.ident.to_string().chars() {
        if letter == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            name.push(letter.to_ascii_uppercase());
        } else {
            name.push(letter);
        }
    }
    Ok(name)
}
