//! A COPY stream: any division into messages gives the same rows, and the rows written again are the stream.

use whimbrel::endpoint::postgres::Frames;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

type Rows = Vec<Vec<Option<Vec<u8>>>>;

/// The rows that came, and whether the stream was whole.
fn read(messages: &[&[u8]], width: usize) -> (Rows, Result<(), String>) {
    let (mut frames, mut rows) = (Frames::new(width), Rows::new());
    let mut take = |message: &&[u8]| {
        frames.take(message, &mut |fields| {
            rows.push(fields.iter().map(|field| field.map(<[u8]>::to_vec)).collect());
            Ok(())
        })
    };
    let taken = messages.iter().try_for_each(&mut take).and_then(|()| frames.finish());
    (rows, taken.map_err(|error| error.to_string()))
}

fn write(rows: &Rows) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    for row in rows {
        bytes.extend((row.len() as i16).to_be_bytes());
        for field in row {
            match field {
                None => bytes.extend((-1_i32).to_be_bytes()),
                Some(field) => {
                    bytes.extend((field.len() as i32).to_be_bytes());
                    bytes.extend(field);
                }
            }
        }
    }
    bytes.extend((-1_i16).to_be_bytes());
    bytes
}

/// The first byte: how many fields a row has, and whether the header is right. The second: where the stream is cut.
pub fn frames(bytes: &[u8]) {
    let [first, second, body @ ..] = bytes else { return };
    let width = usize::from(first & 7);
    let stream = if first & 8 == 0 { [HEADER, body].concat() } else { body.to_vec() };
    let whole = read(&[&stream], width);
    let (one, other) = stream.split_at(usize::from(*second).min(stream.len()));
    assert_eq!(read(&[one, other], width), whole);
    let each: Vec<&[u8]> = stream.chunks(1 + usize::from(second >> 4)).collect();
    assert_eq!(read(&each, width), whole);
    if first & 8 == 0 && body.len() >= 2 && whole.1.is_ok() {
        assert_eq!(write(&whole.0), stream);
    }
}
