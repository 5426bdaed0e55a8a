//! Sends a message to oneself: `hello smp://<fingerprint>[:<password>]@<host>[:<port>]`.

use smp_client::{Client, Event, NewQueueOptions, Options};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: hello smp://...")?;
    let client = Client::connect(&address.parse()?, &Options::default()).await?;
    let queue = client.create_queue(NewQueueOptions::default()).await?;

    client.sender(queue.sender_id()).send(*b"hello").await?;

    while let Event::Message(recipient_id, message) = client.next_event().await? {
        assert_eq!(recipient_id, queue.recipient_id());
        let received = queue.open(&message)?;
        println!("{:?}", received.content);
        if queue.acknowledge(&received.id).await?.is_none() {
            break;
        }
    }
    queue.delete().await?;
    client.close().await;
    Ok(())
}
