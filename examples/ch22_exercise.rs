//! The exercise of chapter 22: the 99th percentile of several servers.

/// Returns the time that 99 of 100 requests do not exceed.
fn p99(times: &[u64]) -> u64 {
    let mut sorted = times.to_vec();
    sorted.sort();
    let rank = (sorted.len() * 99).div_ceil(100);
    sorted[rank - 1]
}

/// Returns the same of all requests to all servers. To do: this is the average of something else.
fn p99_of_all(servers: &[Vec<u64>]) -> u64 {
    let sum: u64 = servers.iter().map(|times| p99(times)).sum();
    sum / servers.len() as u64
}

fn main() {
    // Nine servers answer in 1 ms. The tenth gets few requests and is slow.
    let mut servers = vec![vec![1; 1000]; 9];
    servers.push(vec![500; 10]);
    assert_eq!(p99_of_all(&servers), 1, "only 10 requests of 9010 are slow");
    // Now it gets as many as the others.
    servers[9] = vec![500; 1000];
    assert_eq!(p99_of_all(&servers), 500, "1000 requests of 10000 are slow");
    // And if each server is slow for two requests of a hundred, so are all of them together.
    let uneven = [vec![1; 98], vec![500; 2]].concat();
    assert_eq!(p99_of_all(&vec![uneven; 10]), 500);
    println!("the 99th percentile of all requests");
}
