//! What labql's rows and their GraphQL types derive.

mod narrow;
mod row;

use proc_macro::TokenStream;

/// Lets an entity's `Model` be read with some of its columns: implements `crate::narrow::Narrow`. The columns are the
/// fields, as in sea-orm's `DeriveEntityModel`; the model needs a `Default`, which is what fields hold whose columns were
/// not read.
#[proc_macro_derive(Narrow, attributes(long))]
pub fn narrow(input: TokenStream) -> TokenStream {
    narrow::derive(syn::parse_macro_input!(input))
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes a GraphQL object of an `impl` block, as async-graphql's `Object` does, whose lists are written without a future
/// for each field (see `crate::graphql::rows`).
///
/// A `fn` without `async` is a field that is there at once: it takes `&self` alone and cannot fail. An `async fn` is as in
/// `Object`; one without `&self` is loaded for all rows of a list together:
///
/// ```ignore
/// async fn parents(jobs: &[Self], ctx: &Context<'_>) -> Result<impl Fn(&Self) -> Rows<Job>>
/// ```
///
/// gives how the value of each row is found.
///
/// `#[row(columns = job::Column)]` says of which table the row is; a field may then say with `#[reads(Name, Status)]`
/// which columns it needs. One that does not say is taken to need all. `#[reads(Id, below)]`: what stands below it is of
/// the same type and may be found among the rows themselves, so they need the columns of its selection, too.
/// `#[reads(below = DatasetReadme)]`: what stands below it is of that type and made of the same row; it says by itself which
/// columns its fields need.
#[proc_macro_attribute]
pub fn row(arguments: TokenStream, input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input);
    row::expand(arguments.into(), input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
