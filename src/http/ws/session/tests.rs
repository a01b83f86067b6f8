use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::http::{
    router, serve,
    testing::{Door, KEY, Key, state},
};

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    /// A socket whose key has been accepted.
    async fn connect(every: Duration) -> (Self, Door) {
        let (state, door) = state(every);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = router(state.clone(), axum::Router::new());
        tokio::spawn(serve(listener, routes, state));
        let url = format!("ws://{address}/graphql");
        let mut request = url.into_client_request().unwrap();
        let protocol = "graphql-transport-ws".parse().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        let (socket, _) = connect_async(request).await.unwrap();
        let mut client = Self(socket);
        client
            .say(&json!({ "type": "connection_init", "payload": { "apiKey": KEY } }))
            .await;
        assert_eq!(client.hear().await.unwrap()["type"], "connection_ack");
        (client, door)
    }

    async fn say(&mut self, message: &Value) {
        let text = Message::text(message.to_string());
        self.0.send(text).await.unwrap();
    }

    async fn ask(&mut self, query: &str) {
        let payload = json!({ "query": query });
        self.say(&json!({ "type": "subscribe", "id": "1", "payload": payload }))
            .await;
    }

    /// The next message, or the code of the close frame.
    async fn hear(&mut self) -> Result<Value, u16> {
        while let Some(frame) = self.0.next().await {
            match frame.unwrap() {
                Message::Text(text) => return Ok(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => return Err(frame.unwrap().code.into()),
                _ => {}
            }
        }
        Err(1006)
    }
}

#[tokio::test]
async fn a_revoked_key_ends_a_socket_with_the_next_ping() {
    let (mut client, door) = Client::connect(Duration::from_millis(5)).await;
    client.ask("subscription { silence }").await;
    // While nobody can tell, the socket stays open.
    door.key.send_replace(Key::Unknown);
    let checks = *door.checks.borrow();
    let mut asked = door.checks.subscribe();
    let hears = tokio::spawn(async move { client.hear().await });
    asked.wait_for(|count| *count >= checks + 3).await.unwrap();
    assert!(!hears.is_finished());
    door.key.send_replace(Key::Revoked);
    assert_eq!(hears.await.unwrap(), Err(4403));
}

#[tokio::test]
async fn each_operation_has_its_key_checked() {
    let (mut client, door) = Client::connect(Duration::from_hours(1)).await;
    for key in [Key::Good, Key::Unknown] {
        door.key.send_replace(key);
        client.ask("{ me }").await;
        let answer = client.hear().await.unwrap();
        assert_eq!(answer["payload"]["data"]["me"], "ann", "{key:?}: {answer}");
        assert_eq!(client.hear().await.unwrap()["type"], "complete");
    }
    door.key.send_replace(Key::Revoked);
    client.ask("{ me }").await;
    assert_eq!(client.hear().await, Err(4403));
}
