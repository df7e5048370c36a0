//! A room list that is right after each step: `cargo run --example rooms --features memory`.

use strongroom::Timestamp;
use strongroom::matrix::{MatrixStore, Membership, Message, Room, RoomId, RoomMember, schema};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = strongroom::Database::builder(schema()).open(strongroom::open("memory:").await?).await?;
    let store = MatrixStore::new(db)?.me("@me:example.org");
    let kitchen = RoomId::from("!kitchen");
    let at = |minute: i64| Timestamp::from_millis(1_714_564_800_000 + minute * 60_000);

    // The room's record changes in the same atomic step as the member or the message.
    for (user, minute) in [("@me:example.org", 0), ("@ada:example.org", 1)] {
        store.save_member(&RoomMember::new("!kitchen", user, Membership::Join, at(minute))).await?;
    }
    let content = r#"{"msgtype":"m.text","body":"Dinner at eight."}"#.parse()?;
    let message = Message::new("!kitchen", "$1", "m.room.message", "@ada:example.org", at(5), content);
    store.save_message(&message).await?;

    let room = store.database().get(&Room::key(&kitchen)).await?.ok_or("the room is there")?;
    assert_eq!((room.member_count, room.membership, room.last_event), (2, Membership::Join, at(5)));

    // Late news changes nothing; new ones do.
    store.save_member(&RoomMember::new("!kitchen", "@ada:example.org", Membership::Invite, at(0))).await?;
    store.save_member(&RoomMember::new("!kitchen", "@ada:example.org", Membership::Leave, at(9))).await?;

    let joined = store.database().query(Room::MEMBERSHIP).equal(&Membership::Join).newest_first().page().await?;
    assert_eq!(joined.records[0].member_count, 1);

    // Written past the rules, as by another program; found, and set right.
    store.database().put(&Room { member_count: 7, ..room }).await?;
    assert_eq!(store.verify().await?.problems.len(), 1);
    assert_eq!(store.repair_rooms().await?, 1);
    assert!(store.verify().await?.problems.is_empty());
    Ok(())
}
