//! Points and frames as compact bytes for the store.
//!
//! A **chunk** holds many points of one series: times and values apart, each compressed with `pco`
//! (lossless, bit for bit, also for `-0.0`). A **frame** holds everything one poll measured, so that
//! the newest minutes can be written with one row a poll and packed into chunks later.
//!
//! Nothing here trusts the bytes it reads back. A checksum keeps damage away from the decoders, and
//! counts are capped before memory is taken, so damaged bytes give an error: no panic, no huge
//! allocation. It knows nothing of files or tables, and drops no point.

use std::io::{Read, Write};

use chrono::DateTime;
use flate2::{Compression, Crc, read::DeflateDecoder, write::DeflateEncoder};
use pco::{ChunkConfig, DeltaSpec, ModeSpec, data_types::Number};

use super::series::{Sample, SeriesKey};
use crate::domain::time::Timestamp;

/// Most points one chunk may hold: 60 days at one poll in 5 seconds. Writers cut far earlier.
pub const MAX_POINTS: usize = 1 << 20;

/// Most bytes that a frame may unpack to: about 100,000 samples.
const MAX_FRAME: u64 = 16 << 20;

const CHUNK_VERSION: u8 = 1;
const FRAME_VERSION: u8 = 1;
/// Version, checksum, count, length of the times.
const CHUNK_HEAD: usize = 1 + 4 + 4 + 4;

/// Compressed points of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Time of the first point; the epoch of Unix time when there is none.
    pub from: Timestamp,
    /// Time of the last point.
    pub to: Timestamp,
    pub count: usize,
    /// What [`decode`] reads.
    pub bytes: Vec<u8>,
}

/// Why bytes could not be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    #[error("the recording has format {0}, which this version does not read")]
    Version(u8),
    #[error("the recording is damaged: {0}")]
    Damaged(&'static str),
}

/// Packs points in the order given, at most [`MAX_POINTS`]: more would be refused when read back.
///
/// Layout, little endian: version `u8`, CRC-32 of all that follows `u32`, count `u32`, length of the
/// times `u32`, times (`pco`, i64 microseconds since the epoch), values (`pco`, f64).
pub fn encode(points: &[(Timestamp, f64)]) -> Chunk {
    debug_assert!(points.len() <= MAX_POINTS, "cut the series before packing it");
    let times: Vec<i64> = points.iter().map(|(at, _)| at.timestamp_micros()).collect();
    let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    // Polls come at an almost steady pace, so the first differences are small numbers.
    let steady = ChunkConfig::default().with_mode_spec(ModeSpec::Classic).with_delta_spec(DeltaSpec::TryConsecutive(1));
    let times = pack(&times, &steady);
    let values = pack(&values, &ChunkConfig::default());

    let mut body = Vec::with_capacity(CHUNK_HEAD + times.len() + values.len());
    body.extend(length(points.len()));
    body.extend(length(times.len()));
    body.extend(times);
    body.extend(values);
    let ends = |point: Option<&(Timestamp, f64)>| point.map_or(DateTime::UNIX_EPOCH, |(at, _)| *at);
    Chunk {
        from: ends(points.first()),
        to: ends(points.last()),
        count: points.len(),
        bytes: [&[CHUNK_VERSION][..], &checksum(&body), &body].concat(),
    }
}

/// Unpacks what [`encode`] made.
pub fn decode(bytes: &[u8]) -> Result<Vec<(Timestamp, f64)>, ChunkError> {
    match bytes.split_first() {
        None => Err(ChunkError::Damaged("it is empty")),
        Some((&CHUNK_VERSION, rest)) => {
            let (sum, body) = rest.split_at_checked(4).ok_or(ChunkError::Damaged("it is cut short"))?;
            if sum != checksum(body) {
                return Err(ChunkError::Damaged("its checksum does not match"));
            }
            decode_body(body)
        }
        Some((&version, _)) => Err(ChunkError::Version(version)),
    }
}

fn decode_body(body: &[u8]) -> Result<Vec<(Timestamp, f64)>, ChunkError> {
    let (count, rest) = read_length(body)?;
    let (times_len, rest) = read_length(rest)?;
    if count > MAX_POINTS {
        return Err(ChunkError::Damaged("it claims too many points"));
    }
    let (times, values) = rest.split_at_checked(times_len).ok_or(ChunkError::Damaged("it is cut short"))?;
    let times: Vec<i64> = unpack(times, count)?;
    let values: Vec<f64> = unpack(values, count)?;
    times
        .into_iter()
        .zip(values)
        .map(|(micros, value)| Some((DateTime::from_timestamp_micros(micros)?, value)))
        .collect::<Option<_>>()
        .ok_or(ChunkError::Damaged("a time is out of range"))
}

fn pack<T: Number>(numbers: &[T], config: &ChunkConfig) -> Vec<u8> {
    pco::standalone::simple_compress(numbers, config)
        .expect("the configuration is fixed and valid, and memory cannot fail to be written")
}

fn unpack<T: Number>(bytes: &[u8], count: usize) -> Result<Vec<T>, ChunkError> {
    // A fixed target, rather than the growing one: a few bytes can claim millions of equal numbers.
    let mut numbers = vec![T::default(); count];
    match pco::standalone::simple_decompress_into(bytes, &mut numbers) {
        Ok(progress) if progress.finished && progress.n_processed == count => Ok(numbers),
        Ok(_) => Err(ChunkError::Damaged("the number of points does not match")),
        Err(_) => Err(ChunkError::Damaged("its numbers cannot be read")),
    }
}

/// Packs one poll: keys as JSON, then the values as plain f64, all deflated.
///
/// Keys repeat the same few words, which deflate shrinks to about a tenth, and JSON keeps the format
/// readable with common tools; a poll of 5 servers takes about half a kilobyte. Values stay binary
/// since the shortest text of a float is not bit for bit what every JSON reader gives back.
/// Layout: version `u8`, CRC-32 `u32`, then deflated: length of the keys `u32`, keys, values.
pub fn encode_frame(samples: &[Sample]) -> Vec<u8> {
    let keys: Vec<&SeriesKey> = samples.iter().map(|sample| &sample.key).collect();
    let keys = serde_json::to_vec(&keys).expect("keys are strings and plain enums, which JSON can always write");
    let mut plain = Vec::with_capacity(4 + keys.len() + samples.len() * 8);
    plain.extend(length(keys.len()));
    plain.extend(keys);
    plain.extend(samples.iter().flat_map(|sample| sample.value.to_le_bytes()));
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
    let packed = deflate.write_all(&plain).and_then(|()| deflate.finish()).expect("writing to memory does not fail");
    [&[FRAME_VERSION][..], &checksum(&packed), &packed].concat()
}

/// Unpacks what [`encode_frame`] made.
pub fn decode_frame(bytes: &[u8]) -> Result<Vec<Sample>, ChunkError> {
    match bytes.split_first() {
        None => Err(ChunkError::Damaged("it is empty")),
        Some((&FRAME_VERSION, rest)) => {
            let (sum, packed) = rest.split_at_checked(4).ok_or(ChunkError::Damaged("it is cut short"))?;
            if sum != checksum(packed) {
                return Err(ChunkError::Damaged("its checksum does not match"));
            }
            decode_frame_body(packed)
        }
        Some((&version, _)) => Err(ChunkError::Version(version)),
    }
}

fn decode_frame_body(packed: &[u8]) -> Result<Vec<Sample>, ChunkError> {
    let mut plain = Vec::new();
    let read = DeflateDecoder::new(packed).take(MAX_FRAME + 1).read_to_end(&mut plain);
    if read.is_err() {
        return Err(ChunkError::Damaged("it cannot be inflated"));
    }
    if plain.len() as u64 > MAX_FRAME {
        return Err(ChunkError::Damaged("it is too large"));
    }
    let (keys_len, rest) = read_length(&plain)?;
    let (keys, values) = rest.split_at_checked(keys_len).ok_or(ChunkError::Damaged("it is cut short"))?;
    let keys: Vec<SeriesKey> = serde_json::from_slice(keys).map_err(|_| ChunkError::Damaged("its keys cannot be read"))?;
    let (values, odd) = values.as_chunks::<8>();
    if values.len() != keys.len() || !odd.is_empty() {
        return Err(ChunkError::Damaged("keys and values do not match"));
    }
    Ok(keys.into_iter().zip(values).map(|(key, value)| Sample { key, value: f64::from_le_bytes(*value) }).collect())
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_le_bytes()
}

fn length(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes()
}

fn read_length(bytes: &[u8]) -> Result<(usize, &[u8]), ChunkError> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(ChunkError::Damaged("it is cut short"))?;
    Ok((u32::from_le_bytes(*length) as usize, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::signal::series::Metric;

    fn at(micros: i64) -> Timestamp {
        DateTime::from_timestamp_micros(micros).expect("in range")
    }

    fn bits(points: &[(Timestamp, f64)]) -> Vec<(Timestamp, u64)> {
        points.iter().map(|(at, value)| (*at, value.to_bits())).collect()
    }

    fn hour(value: impl Fn(usize) -> f64) -> Vec<(Timestamp, f64)> {
        (0..720).map(|n| (at(1_795_000_000_000_000 + n as i64 * 5_000_000 + (n as i64 * 7919) % 9000), value(n))).collect()
    }

    fn poll(servers: usize) -> Vec<Sample> {
        let servers = (0..servers).map(|n| Some(format!("web{n}"))).chain([None]);
        let keys = servers
            .flat_map(|server| Metric::ALL.map(|metric| SeriesKey { pool: "web".to_owned(), server: server.clone(), metric }));
        keys.enumerate().map(|(n, key)| Sample { key, value: n as f64 * 1234.0 }).collect()
    }

    #[test]
    fn an_hour_of_a_counter_is_small() {
        let points = hour(|n| (n * 300 + n * n % 17) as f64);
        let chunk = encode(&points);
        assert_eq!(decode(&chunk.bytes).expect("own bytes"), points);
        assert_eq!((chunk.from, chunk.to, chunk.count), (points[0].0, points[719].0, 720));
        assert!(chunk.bytes.len() < 3000, "{} bytes for 720 points", chunk.bytes.len());
        let idle = encode(&hour(|_| 1.0));
        assert!(idle.bytes.len() < 1500, "{} bytes for a value that never moves", idle.bytes.len());
    }

    #[test]
    fn odd_values_and_no_values_come_back_bit_for_bit() {
        let odd = [0.0, -0.0, f64::MIN_POSITIVE / 2.0, f64::MAX, f64::MIN, f64::INFINITY, f64::NAN, 0.1, 1e-300];
        let points: Vec<_> = odd.iter().enumerate().map(|(n, value)| (at(n as i64 - 4), *value)).collect();
        assert_eq!(bits(&decode(&encode(&points).bytes).expect("own bytes")), bits(&points));
        assert_eq!(decode(&encode(&[]).bytes), Ok(vec![]));
    }

    #[test]
    fn few_bytes_cannot_claim_many_points() {
        let chunk = encode(&hour(|_| 1.0));
        for count in [0_u32, 719, 721, 1 << 20, u32::MAX] {
            let body = [&count.to_le_bytes()[..], &chunk.bytes[9..]].concat();
            assert!(decode_body(&body).is_err(), "{count}");
        }
        assert_eq!(decode(&[9, 0, 0]), Err(ChunkError::Version(9)));
    }

    #[test]
    fn a_frame_is_small_and_a_bomb_is_refused() {
        let samples = poll(5);
        let bytes = encode_frame(&samples);
        assert_eq!(decode_frame(&bytes).expect("own bytes"), samples);
        assert!(bytes.len() < 700, "{} bytes for {} samples", bytes.len(), samples.len());

        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
        deflate.write_all(&vec![b'['; (MAX_FRAME + 10) as usize]).expect("memory");
        assert_eq!(decode_frame_body(&deflate.finish().expect("memory")), Err(ChunkError::Damaged("it is too large")));
    }

    proptest! {
        #[test]
        fn chunks_round_trip(
            points in proptest::collection::vec((-60_000_000_000_000_000_i64..250_000_000_000_000_000, proptest::num::f64::ANY), 0..300),
        ) {
            let points: Vec<_> = points.into_iter().map(|(micros, value)| (at(micros), value)).collect();
            prop_assert_eq!(bits(&decode(&encode(&points).bytes).expect("own bytes")), bits(&points));
        }

        #[test]
        fn frames_round_trip(names in proptest::collection::vec((".*", proptest::option::of(".*"), 0..10_usize, proptest::num::f64::NORMAL), 0..40)) {
            let samples: Vec<_> = names.into_iter().map(|(pool, server, metric, value)| {
                Sample { key: SeriesKey { pool, server, metric: Metric::ALL[metric] }, value }
            }).collect();
            prop_assert_eq!(decode_frame(&encode_frame(&samples)).expect("own bytes"), samples);
        }

        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
            let _ = decode_frame(&bytes);
            let _ = decode_body(&bytes);
            let _ = decode_frame_body(&bytes);
        }

        #[test]
        fn one_flipped_bit_is_noticed(place in 0..10_000_usize, bit in 0..8_u32) {
            for (mut bytes, frame) in [(encode(&hour(|n| n as f64)).bytes, false), (encode_frame(&poll(3)), true)] {
                let place = place % bytes.len();
                bytes[place] ^= 1 << bit;
                let noticed = if frame { decode_frame(&bytes).is_err() } else { decode(&bytes).is_err() };
                prop_assert!(noticed);
            }
        }

        /// The checksum left out: the decoders below it must hold on their own as well.
        #[test]
        fn damaged_numbers_do_not_panic(place in 0..10_000_usize, byte in any::<u8>()) {
            let mut body = encode(&hour(|n| (n % 40) as f64)).bytes.split_off(5);
            let place = place % body.len();
            body[place] = byte;
            let _ = decode_body(&body);
        }
    }
}
