//! A list of rows is answered as the executor answers a list of the same objects.

#![allow(
    clippy::unused_async,
    reason = "`async` says that a field has to be waited for"
)]

use async_graphql::{
    Context, EmptyMutation, EmptySubscription, Error, ID, Object, Request, Response, Result, Schema,
};
use macros::row;

use super::Rows;
use crate::graphql::answer;

#[derive(Clone)]
struct Item(i32);

#[row]
impl Item {
    fn id(&self) -> ID {
        ID(format!("item \"{}\"", self.0))
    }

    fn number(&self) -> i32 {
        self.0
    }

    fn text(&self) -> Option<&str> {
        (self.0 % 2 == 0).then_some("even")
    }

    #[graphql(name = "named")]
    fn something_else(&self) -> f64 {
        f64::from(self.0) / 2.0
    }

    fn halves(&self) -> Vec<Half> {
        vec![Half(self.0), Half(self.0)]
    }

    async fn next(&self, ctx: &Context<'_>, by: Option<i32>) -> Result<Option<Item>> {
        assert_eq!(ctx.field().name(), "next");
        Ok(Some(Item(self.0 + by.unwrap_or(1))))
    }

    async fn below(&self) -> Rows<Item> {
        (0..self.0).map(Item).collect()
    }

    async fn odd(&self) -> Result<Option<i32>> {
        if self.0 % 2 == 0 {
            return Err(Error::new("it is even"));
        }
        Ok(Some(self.0))
    }

    async fn surely_odd(&self) -> Result<i32> {
        match self.0 % 2 {
            0 => Err(Error::new("it is even")),
            _ => Ok(self.0),
        }
    }

    async fn neighbours(items: &[Item], ctx: &Context<'_>) -> Result<impl Fn(&Item) -> Rows<Item>> {
        assert_eq!(ctx.field().name(), "neighbours");
        let largest = items.iter().map(|item| item.0).max().unwrap_or_default();
        Ok(move |item: &Item| {
            let neighbours = [item.0 - 1, item.0 + 1].into_iter();
            neighbours
                .filter(|it| *it <= largest + 1)
                .map(Item)
                .collect()
        })
    }

    async fn nothing(_items: &[Item], _ctx: &Context<'_>) -> Result<impl Fn(&Item) -> Option<i32>> {
        fail().map(|()| |_: &Item| Some(1))
    }

    async fn surely_nothing(_items: &[Item], _ctx: &Context<'_>) -> Result<impl Fn(&Item) -> i32> {
        fail().map(|()| |_: &Item| 1)
    }
}

fn fail() -> Result<()> {
    Err(Error::new("there is nothing"))
}

struct Half(i32);

#[row]
impl Half {
    fn whole(&self) -> Item {
        Item(self.0)
    }
}

struct Query;

#[Object]
impl Query {
    async fn as_rows(&self) -> Rows<Item> {
        (0..4).map(Item).collect()
    }

    async fn as_list(&self) -> Vec<Item> {
        (0..4).map(Item).collect()
    }
}

fn schema() -> Schema<Query, EmptyMutation, EmptySubscription> {
    Schema::new(Query, EmptyMutation, EmptySubscription)
}

fn written(response: &Response) -> serde_json::Value {
    serde_json::from_slice(&answer::encode(response).unwrap()).unwrap()
}

/// The answers to this selection as rows and as items.
async fn both(selection: &str) -> (serde_json::Value, serde_json::Value) {
    // All variables and fragments have to be used.
    let query = format!(
        "query($yes: Boolean = true, $no: Boolean = false) {{ \
           list: LIST {selection} \
           others: LIST {{ ...F number @skip(if: $yes) @include(if: $no) }} \
         }} \
         fragment F on Item {{ number ... on Item {{ text }} }}"
    );
    let ask = async |list| {
        let request = Request::new(query.replace("LIST", list));
        written(&schema().execute(request).await)
    };
    (ask("asRows").await, ask("asList").await)
}

#[tokio::test]
async fn rows_are_answered_as_objects_are() {
    for selection in [
        "{ number }",
        "{ id number text named __typename }",
        "{ a: number b: number number c: __typename }",
        "{ ...F ...F number text }",
        "{ ... { number } ... on Item { id } ...F }",
        "{ number @skip(if: $yes) text @include(if: $yes) id @include(if: $no) }",
        "{ halves { whole { number halves { whole { id } } } } }",
        "{ next { number } far: next(by: 10) { number next { id } } text }",
        "{ below { number below { id text } } number }",
        "{ halves { whole { below { number } } } }",
        "{ next { number } next { id } }",
        "{ below { number } below { id } text }",
        "{ halves { whole { id } } halves { whole { number } } }",
        "{ neighbours { number } }",
        "{ number all: neighbours { id text } again: neighbours { __typename } next { id } }",
        "{ neighbours { number neighbours { id } next { neighbours { number } } } }",
        "{ neighbours { number } neighbours { id } text }",
        "{ halves { whole { neighbours { number } } } }",
        "{ below { neighbours { ...F } } }",
    ] {
        let (rows, items) = both(&format!(
            "{selection} ...G }} fragment G on Query {{ __typename"
        ))
        .await;
        assert!(rows.get("errors").is_none(), "{selection}: {rows}");
        assert_eq!(rows, items, "{selection}");
    }
}

/// What the executor leaves out where a field failed stands there as null, and what cannot be null takes the list along;
/// the errors are the same.
#[tokio::test]
async fn a_field_that_fails_fails_alone() {
    let (rows, items) = both("{ number odd }").await;
    assert_eq!(rows["errors"], items["errors"]);
    assert_eq!(rows["errors"].as_array().unwrap().len(), 2);
    assert_eq!(
        rows["errors"][1]["path"],
        serde_json::json!(["list", 2, "odd"])
    );
    assert_eq!(
        rows["data"]["list"][2],
        serde_json::json!({ "number": 2, "odd": null })
    );
    assert_eq!(
        rows["data"]["list"][3],
        serde_json::json!({ "number": 3, "odd": 3 })
    );

    let (rows, items) = both("{ number surelyOdd }").await;
    assert_eq!(rows["errors"], items["errors"]);
    assert_eq!(rows["data"]["list"], serde_json::Value::Null);

    // It failed once, and one error is enough for what is lost.
    let (rows, items) = both("{ number surelyNothing }").await;
    let errors = rows["errors"].as_array().unwrap();
    assert_eq!(errors[..], items["errors"].as_array().unwrap()[..1]);
    assert_eq!(rows["data"]["list"], serde_json::Value::Null);

    let (rows, items) = both("{ number nothing }").await;
    assert_eq!(rows["errors"], items["errors"]);
    assert_eq!(
        rows["data"]["list"][1],
        serde_json::json!({ "number": 1, "nothing": null })
    );
}

#[test]
fn the_schema_says_nothing_of_rows() {
    let sdl = schema().sdl();
    assert!(sdl.contains("asRows: [Item!]!"), "{sdl}");
    assert!(sdl.contains("named: Float!"), "{sdl}");
}
