use super::*;

#[test]
fn text_is_as_python_2_wrote_it() {
    let time = NaiveDateTime::parse_from_str("1993-01-01 00:00:00", "%Y-%m-%d %H:%M:%S").unwrap();
    let tuple = Value::Tuple(vec![
        "a".into(),
        Value::Int(5),
        Value::None,
        Value::DateTime(time),
        "a".into(),
    ]);
    let bytes = pickle(&Value::List(vec![tuple]), Protocol::Text);
    let expected = "(lp0\n(S'a'\np1\nI5\nNcdatetime\ndatetime\np2\n\
                    (S'\\x07\\xc9\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00'\np3\ntp4\nRp5\ng1\ntp6\na.";
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[test]
fn protocol_2_batches_and_memoises() {
    let list = Value::List(vec![
        "x".into(),
        "x".into(),
        Value::Int(256),
        Value::Int(-1),
    ]);
    let expected = b"\x80\x02]q\x00(X\x01\x00\x00\x00xq\x01h\x01M\x00\x01J\xff\xff\xff\xffe.";
    assert_eq!(pickle(&list, Protocol::Two), expected);
}

#[test]
fn protocol_5_frames_and_shares() {
    let shared = Value::Shared(0, Box::new(Value::Dict(Vec::new())));
    let list = Value::Tuple(vec![shared, Value::Again(0)]);
    let expected = b"\x80\x05\x95\x07\x00\x00\x00\x00\x00\x00\x00}\x94h\x00\x86\x94.";
    assert_eq!(pickle(&list, Protocol::Five), expected);
}

#[test]
fn long_integers_take_the_fewest_bytes() {
    for (number, bytes) in [
        (1_i64 << 31, &b"\x8a\x05\x00\x00\x00\x80\x00"[..]),
        (20_261_122_054_450, b"\x8a\x06"),
        (i64::MIN, b"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80"),
    ] {
        let pickled = pickle(&Value::Int(number), Protocol::Two);
        assert!(pickled[2..].starts_with(bytes), "{number}: {pickled:02x?}");
    }
}
