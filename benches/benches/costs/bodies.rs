//! A body of one chunk of 16 KiB through filters that see bodies as they stream
//! by: one that counts, one that replaces, and one that takes JSON apart.

use std::hint::black_box;

use benches::{Bench, exchange};
use bytes::Bytes;
use criterion::{Criterion, Throughput};
use http::{HeaderValue, header};
use portcullis::{
    exchange::{Piece, Side},
    plugin::ChunkVerdict,
};
use serde_json::{Value, json};

const CHUNK: usize = 16 * 1024;

pub(crate) fn benches(criterion: &mut Criterion) {
    let bench = Bench::new();
    let cases: [(&str, Value); 3] = [
        ("body-limit", json!({ "max_bytes": "1MiB" })),
        (
            "mask",
            json!({ "side": "request", "rules": [{ "preset": "email", "replace": "[email]" }] }),
        ),
        (
            "json-transform",
            json!({ "request": { "mode": "lines", "remove": ["secret"] } }),
        ),
    ];
    let body = body();
    let mut group = criterion.benchmark_group("chunk of 16 KiB");
    group.throughput(Throughput::Bytes(CHUNK as u64));
    for (plugin, config) in cases {
        let mut instance = bench.instance(plugin, &config);
        let mut exchange = exchange();
        let lines = HeaderValue::from_static("application/x-ndjson");
        exchange.headers.insert(header::CONTENT_TYPE, lines);
        group.bench_function(plugin, |bencher| {
            bencher.iter(|| {
                let mut piece = Piece::whole(body.clone());
                let stream = instance.open_stream();
                let verdict = instance
                    .on_chunk(Side::Request, &mut exchange, stream, &mut piece)
                    .expect("a verdict");
                assert!(!matches!(verdict, ChunkVerdict::Respond));
                black_box(piece)
            });
        });
    }
    group.finish();
}

/// Lines of JSON that fill a chunk.
fn body() -> Bytes {
    let line = |number| {
        format!(
            "{{\"id\":{number},\"mail\":\"ann@example.com\",\"secret\":\"x\",\"text\":\"hello\"}}\n"
        )
    };
    let mut body = String::new();
    for number in 0.. {
        let next = line(number);
        if body.len() + next.len() > CHUNK {
            break;
        }
        body.push_str(&next);
    }
    // Spaces between lines are no more than that.
    body.extend(std::iter::repeat_n(' ', CHUNK - body.len()));
    body.into()
}
