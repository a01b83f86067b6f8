//! `#[derive(Narrow)]`.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Field, Fields, Result};

/// The implementation for a struct with named fields.
pub fn derive(input: DeriveInput) -> Result<TokenStream> {
    let model = &input.ident;
    let Data::Struct(data) = input.data else {
        return Err(Error::new_spanned(model, "Narrow is for a struct"));
    };
    let Fields::Named(fields) = data.fields else {
        return Err(Error::new_spanned(model, "Narrow needs fields with names"));
    };
    let is_long = |field: &&Field| field.attrs.iter().any(|it| it.path().is_ident("long"));
    let long = fields.named.iter().filter(is_long);
    let long: Vec<Ident> = long.filter_map(|it| it.ident.clone()).collect();
    let fields: Vec<Ident> = fields.named.into_iter().filter_map(|it| it.ident).collect();
    if fields.len() > 64 {
        return Err(Error::new_spanned(model, "Narrow counts to 64 columns"));
    }
    let columns: Vec<Ident> = fields.iter().map(column_of).collect();
    Ok(quote! {
        impl crate::narrow::Narrow for #model {
            type Column = Column;
            const COLUMNS: &'static [Column] = &[#(Column::#columns),*];

            fn bit(column: Column) -> u32 {
                column as u32
            }

            fn set(&mut self, column: Column, cell: crate::narrow::Cell<'_>) -> Result<(), sea_orm::DbErr> {
                match column {
                    #(Column::#columns => self.#fields = cell.get()?,)*
                }
                Ok(())
            }

            fn long_bytes(&self) -> usize {
                0 #(+ crate::narrow::Long::bytes(&self.#long))*
            }
        }
    })
}

/// `started_at` is the column `StartedAt`, as in sea-orm.
fn column_of(field: &Ident) -> Ident {
    let words = field.to_string();
    let name: String = words
        .split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters)
        })
        .collect();
    format_ident!("{name}", span = field.span())
}
