//! `#[row]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{
    Attribute, Error, Expr, ExprLit, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Lifetime, Lit,
    Meta, MetaNameValue, Path, Result, ReturnType, Token, Type, TypeReference,
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

/// A field that is there at once.
struct Plain {
    name: String,
    method: Ident,
    returns: Type,
}

/// What a field says of the columns that it needs.
struct Reads {
    name: String,
    columns: Vec<Ident>,
    below: bool,
}

/// The object, its plain fields and their columns.
pub fn expand(arguments: TokenStream, mut input: ItemImpl) -> Result<TokenStream> {
    let Arguments { columns } = syn::parse2(arguments)?;
    let mut plain = Vec::new();
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
            plain.push(Plain::of(method, name.clone())?);
            methods.push(method.clone());
            *method = resolver(method, &name);
        }
    }
    for method in &mut methods {
        method.attrs.retain(|it| !it.path().is_ident("graphql"));
    }
    let of = &input.self_ty;
    let described = reads_of(of, columns.as_ref(), &reads)?;
    let written = written(of, &plain);
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

impl Plain {
    fn of(method: &ImplItemFn, name: String) -> Result<Self> {
        let signature = &method.sig;
        let alone = matches!(signature.inputs.first(), Some(FnArg::Receiver(_)));
        if !alone || signature.inputs.len() != 1 {
            let message = "a field that is there at once takes `&self` alone";
            return Err(Error::new_spanned(signature, message));
        }
        let ReturnType::Type(_, returns) = &signature.output else {
            return Err(Error::new_spanned(signature, "a field has a type"));
        };
        let mut returns = (**returns).clone();
        Static.visit_type_mut(&mut returns);
        Ok(Self {
            name,
            method: signature.ident.clone(),
            returns,
        })
    }
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
fn resolver(method: &ImplItemFn, name: &str) -> ImplItemFn {
    let mut resolver = method.clone();
    let plain = &method.sig.ident;
    resolver.attrs.retain(|it| it.path().is_ident("doc"));
    resolver
        .attrs
        .push(syn::parse_quote!(#[graphql(name = #name)]));
    resolver.sig.asyncness = Some(Token![async](plain.span()));
    resolver.sig.ident = format_ident!("resolve_{plain}");
    resolver.block = syn::parse_quote!({ self.#plain() });
    resolver
}

fn written(of: &Type, plain: &[Plain]) -> TokenStream {
    let index: Vec<usize> = (0..plain.len()).collect();
    let names = plain.iter().map(|it| &it.name);
    let types = plain.iter().map(|it| &it.returns);
    let methods = plain.iter().map(|it| &it.method);
    quote! {
        impl crate::graphql::rows::Row for #of {
            fn plain(name: &str) -> Option<usize> {
                match name {
                    #(#names => Some(#index),)*
                    _ => None,
                }
            }

            fn below(field: usize, ctx: &async_graphql::Context<'_>) -> Option<crate::graphql::rows::Below> {
                match field {
                    #(#index => <#types as crate::graphql::json::Json>::below(ctx),)*
                    _ => None,
                }
            }

            fn write(&self, field: usize, below: &crate::graphql::rows::Below, out: &mut Vec<u8>) {
                match field {
                    #(#index => crate::graphql::json::Json::write(&self.#methods(), below, out),)*
                    _ => {}
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
        quote! { #name => Some((&[#(#columns::#needs),*], #below)), }
    });
    Ok(quote! {
        impl crate::graphql::rows::Reads for #of {
            type Column = #columns;

            fn reads(field: &str) -> Option<(&'static [#columns], bool)> {
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
        .parse_args_with(Punctuated::<Ident, Token![,]>::parse_terminated)?;
    let (below, columns): (Vec<Ident>, _) = named.into_iter().partition(|it| it == "below");
    Ok(Some(Reads {
        name: name.to_owned(),
        columns,
        below: !below.is_empty(),
    }))
}

/// The name of a field: as `#[graphql(name = "…")]` says, else that of the method in camel case.
fn graphql_name(method: &ImplItemFn) -> Result<String> {
    for attribute in method
        .attrs
        .iter()
        .filter(|it| it.path().is_ident("graphql"))
    {
        let settings =
            attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?;
        for setting in settings {
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
