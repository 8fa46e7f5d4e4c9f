package main

import (
	"bufio"
	"bytes"
	"net"
	"strconv"
	"time"
)

const patience = 30 * time.Second

// sender is one connection; it is made anew after an error.
type sender struct {
	address  string
	requests []request
	seed     uint64
	end      time.Time

	latencies               []time.Duration
	refused, broken, unsent int

	conn    net.Conn
	answers *bufio.Reader
	buffer  []byte
}

func (s *sender) run(work source) {
	for next, more := work(); more; next, more = work() {
		if time.Now().After(s.end) {
			s.unsent++
			continue
		}
		status, err := s.send(next.number)
		switch {
		case err != nil:
			s.broken++
			s.hangUp()
		case status == 200:
			s.latencies = append(s.latencies, time.Since(next.at))
		default:
			s.refused++
		}
	}
	s.hangUp()
}

func (s *sender) send(number int) (status int, err error) {
	if s.conn == nil {
		if s.conn, err = net.DialTimeout("tcp", s.address, patience); err != nil {
			return 0, err
		}
		s.answers = bufio.NewReader(s.conn)
	}
	if err = s.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	s.buffer = s.requests[number%len(s.requests)].render(s.buffer, s.seed, number)
	if _, err = s.conn.Write(s.buffer); err != nil {
		return 0, err
	}
	return s.readAnswer()
}

func (s *sender) hangUp() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// readAnswer reads an answer that has a Content-Length, which all of the receivers here send.
func (s *sender) readAnswer() (status int, err error) {
	line, err := s.answers.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length := 0
	for {
		if line, err = s.answers.ReadSlice('\n'); err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		} else if bytes.EqualFold(name, []byte("Connection")) && bytes.Contains(value, []byte("close")) {
			defer s.hangUp()
		}
	}
	_, err = s.answers.Discard(length)
	return status, err
}
