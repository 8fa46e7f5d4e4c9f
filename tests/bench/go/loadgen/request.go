package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
)

const (
	idSize     = 36
	pushHeader = "X-TCCC-PUSH-UUID: "
	session    = `"SessionId":"`
)

// request is the bytes of a request and where its two ids are in them.
type request struct {
	bytes             []byte
	pushID, sessionID int
}

// readRequests makes a request of each line; SessionIds must be as long as a UUID.
func readRequests(file, target, authorization string) ([]request, error) {
	lines, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer lines.Close()
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(make([]byte, 1<<20), 1<<20)
	var requests []request
	for scanner.Scan() {
		var b bytes.Buffer
		fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json;charset=utf8\r\n", target)
		if authorization != "" {
			fmt.Fprintf(&b, "Authorization: %s\r\n", authorization)
		}
		b.WriteString(pushHeader)
		pushID := b.Len()
		fmt.Fprintf(&b, "%*s\r\nContent-Length: %d\r\n\r\n", idSize, "", len(scanner.Bytes()))
		body := b.Len()
		b.Write(scanner.Bytes())
		at := bytes.Index(scanner.Bytes(), []byte(session))
		if at < 0 {
			return nil, fmt.Errorf("%s: a body without SessionId", file)
		}
		requests = append(requests, request{b.Bytes(), pushID, body + at + len(session)})
	}
	if len(requests) == 0 {
		return nil, fmt.Errorf("%s holds no bodies", file)
	}
	return requests, scanner.Err()
}

// render gives the request ids that no other number of this seed has.
func (r request) render(into []byte, seed uint64, number int) []byte {
	into = append(into[:0], r.bytes...)
	copy(into[r.pushID:], uuid(seed, uint64(2*number)))
	copy(into[r.sessionID:], uuid(seed, uint64(2*number+1)))
	return into
}

func uuid(seed, number uint64) string {
	high, low := mix(seed<<32+number), mix(seed<<32+number+1<<63)
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", high>>32, high>>16&0xffff, high&0xfff, low>>52, low&0xffffffffffff)
}

// mix is the finaliser of SplitMix64: a bijection that looks random.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
