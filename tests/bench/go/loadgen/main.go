// Loadgen posts call records over keep-alive connections, each with a SessionId and a push id of its own.
//
// Without a rate each connection sends as soon as it is answered (closed loop). With one, requests are due at
// even times, and latency counts from the moment a request was due, whether or not a connection was free.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lateness is how long after the last one was due requests are still sent; who cannot keep up must not go on for ever.
const lateness = 10 * time.Second

type due struct {
	number int
	at     time.Time
}

type report struct {
	OK      int     `json:"ok"`
	Refused int     `json:"refused"`
	Broken  int     `json:"broken"`
	Unsent  int     `json:"unsent"`
	Seconds float64 `json:"seconds"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	P999    float64 `json:"p999_ms"`
	Max     float64 `json:"max_ms"`
}

func main() {
	address := flag.String("address", "127.0.0.1:8080", "where to connect")
	target := flag.String("target", "/?action=cdr&version=1", "request target")
	authorization := flag.String("authorization", "", "value of the Authorization header")
	file := flag.String("bodies", "", "file with one body a line")
	connections := flag.Int("connections", 64, "")
	rate := flag.Float64("rate", 0, "requests a second; 0: closed loop")
	seconds := flag.Float64("seconds", 3, "")
	seed := flag.Uint64("seed", 1, "of the SessionIds")
	flag.Parse()

	requests, err := readRequests(*file, *target, *authorization)
	if err != nil {
		log.Fatal(err)
	}
	started := time.Now()
	duration := time.Duration(*seconds * float64(time.Second))
	var work source
	if *rate > 0 {
		work = paced(started, *rate, int(*rate**seconds))
	} else {
		work = unpaced(started.Add(duration))
	}
	senders := make([]sender, *connections)
	var running sync.WaitGroup
	for i := range senders {
		senders[i] = sender{address: *address, requests: requests, seed: *seed, end: started.Add(duration + lateness)}
		running.Go(func() { senders[i].run(work) })
	}
	running.Wait()
	if err := json.NewEncoder(os.Stdout).Encode(sum(senders, time.Since(started))); err != nil {
		log.Fatal(err)
	}
}

// source gives the next request to send, and false when there are no more.
type source func() (due, bool)

// unpaced has work for whoever asks, until the deadline.
func unpaced(deadline time.Time) source {
	var number atomic.Int64
	return func() (due, bool) {
		now := time.Now()
		return due{int(number.Add(1) - 1), now}, now.Before(deadline)
	}
}

// paced releases what is due every 1.1 ms, which is how long Go sleeps when asked for half of one: above 900/s in bursts.
func paced(started time.Time, rate float64, total int) source {
	work := make(chan due, total)
	go func() {
		for n := 0; n < total; time.Sleep(500 * time.Microsecond) {
			for ready := int(time.Since(started).Seconds() * rate); n <= ready && n < total; n++ {
				work <- due{n, started.Add(time.Duration(float64(n) / rate * float64(time.Second)))}
			}
		}
		close(work)
	}()
	return func() (due, bool) {
		next, more := <-work
		return next, more
	}
}

func sum(senders []sender, elapsed time.Duration) report {
	var all []time.Duration
	total := report{Seconds: elapsed.Seconds()}
	for _, one := range senders {
		all = append(all, one.latencies...)
		total.Refused += one.refused
		total.Broken += one.broken
		total.Unsent += one.unsent
	}
	slices.Sort(all)
	quantile := func(q float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return float64(all[int(q*float64(len(all)-1))].Microseconds()) / 1000
	}
	total.OK = len(all)
	total.P50, total.P99, total.P999, total.Max = quantile(.5), quantile(.99), quantile(.999), quantile(1)
	return total
}
