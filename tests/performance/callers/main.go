// The callers of row 7: many connections, each with a certificate of its own, and calls that are due when they are
// due. In Go, since a driver in Python takes half of the machine that it measures. Loopback only.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

const (
	mostCalls     = 1_000_000
	longest       = 10 * time.Minute
	mostConnected = 256
	largestFrame  = 4 << 20
)

// settings are read from standard input.
type settings struct {
	Address   string   `json:"address"`
	Method    string   `json:"method"`
	Authority string   `json:"authority"`
	Callers   []caller `json:"callers"`
	// Requests is a file of frames: a length in four bytes, big end first, and the bytes of one request.
	Requests string `json:"requests"`
	// Outcomes is written at the end: a line of JSON for each request, in their order.
	Outcomes string `json:"outcomes"`
	// Warm is how many of the requests come before it counts.
	Warm int `json:"warm"`
	// Due is when each is due, in seconds from when it begins; empty where InFlight are under way at any time instead.
	Due         []float64 `json:"due"`
	InFlight    int       `json:"in_flight"`
	CallSeconds float64   `json:"call_seconds"`
}

type caller struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

// call is what became of one request; times are since the first was due.
type call struct {
	due, sent, ended time.Duration
	answer           []byte
	err              error
}

// outcome is a call as it is written; times in milliseconds.
type outcome struct {
	Code    string  `json:"code"`
	Says    string  `json:"says,omitempty"`
	RetryMs float64 `json:"retry_ms,omitempty"`
	DueMs   float64 `json:"due_ms"`
	SentMs  float64 `json:"sent_ms"`
	EndedMs float64 `json:"ended_ms"`
	// Answer is the bytes of what was answered.
	Answer []byte `json:"answer,omitempty"`
}

// bytesAsTheyAre sends what is ready: no arm may wait for its driver to serialise.
type bytesAsTheyAre struct{}

func (bytesAsTheyAre) Marshal(message any) ([]byte, error)     { return *message.(*[]byte), nil }
func (bytesAsTheyAre) Unmarshal(raw []byte, message any) error { *message.(*[]byte) = raw; return nil }
func (bytesAsTheyAre) Name() string                            { return "proto" }

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(given io.Reader, told io.Writer) error {
	var wanted settings
	decoder := json.NewDecoder(given)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&wanted); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	requests, err := frames(wanted.Requests)
	if err != nil {
		return err
	}
	if err := wanted.check(len(requests)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	connections, err := connect(ctx, wanted)
	if err != nil {
		return err
	}
	play := &play{wanted: wanted, requests: requests, connections: connections, told: told}
	calls := play.all(ctx)
	for _, connection := range connections {
		connection.Close()
	}
	return write(wanted.Outcomes, calls)
}

func (wanted settings) check(requests int) error {
	host, _, err := net.SplitHostPort(wanted.Address)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		return fmt.Errorf("address %q: name a loopback address and its port", wanted.Address)
	}
	if len(wanted.Callers) == 0 || len(wanted.Callers) > mostConnected {
		return fmt.Errorf("%d callers: name between 1 and %d", len(wanted.Callers), mostConnected)
	}
	if requests == 0 || requests > mostCalls || wanted.Warm < 0 || wanted.Warm >= requests {
		return fmt.Errorf("%d requests, %d of them to warm up: send fewer than %d", requests, wanted.Warm, mostCalls)
	}
	times := requests
	if wanted.InFlight > 0 {
		times = 0
	}
	if len(wanted.Due) != times {
		return fmt.Errorf("%d times for %d requests: say when each is due, or how many are in flight", len(wanted.Due), requests)
	}
	return nil
}

func frames(path string) ([][]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var found [][]byte
	for len(raw) > 0 {
		if len(raw) < 4 {
			return nil, errors.New("requests end within a length")
		}
		size := int(binary.BigEndian.Uint32(raw))
		if size > largestFrame || len(raw) < 4+size {
			return nil, errors.New("requests end within a request")
		}
		found = append(found, raw[4:4+size])
		raw = raw[4+size:]
	}
	return found, nil
}

// connect opens a connection for each caller, and waits until all are ready.
func connect(ctx context.Context, wanted settings) ([]*grpc.ClientConn, error) {
	authority, err := os.ReadFile(wanted.Authority)
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(authority) {
		return nil, errors.New("the authority's file holds no certificate")
	}
	connections := make([]*grpc.ClientConn, len(wanted.Callers))
	for number, one := range wanted.Callers {
		own, err := tls.LoadX509KeyPair(one.Certificate, one.Key)
		if err != nil {
			return nil, err
		}
		secure := credentials.NewTLS(&tls.Config{
			Certificates: []tls.Certificate{own}, RootCAs: trusted, MinVersion: tls.VersionTLS12,
		})
		connections[number], err = grpc.NewClient(
			wanted.Address,
			grpc.WithTransportCredentials(secure),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesAsTheyAre{})),
			grpc.WithDisableRetry(),
			grpc.WithDisableServiceConfig(),
		)
		if err != nil {
			return nil, err
		}
		connections[number].Connect()
	}
	for _, connection := range connections {
		for state := connection.GetState(); state != connectivity.Ready; state = connection.GetState() {
			if !connection.WaitForStateChange(ctx, state) {
				return nil, fmt.Errorf("a connection is %s", state)
			}
		}
	}
	return connections, nil
}

type play struct {
	wanted      settings
	requests    [][]byte
	connections []*grpc.ClientConn
	told        io.Writer
	calls       []call
	began       time.Time
}

func (p *play) all(ctx context.Context) []call {
	p.calls = make([]call, len(p.requests))
	p.began = time.Now()
	if len(p.wanted.Due) > 0 {
		p.paced(ctx)
	} else {
		p.flight(ctx)
	}
	return p.calls
}

// paced sends every call when it is due, whatever became of those before it.
func (p *play) paced(ctx context.Context) {
	var left sync.WaitGroup
	for number := range p.requests {
		due := time.Duration(p.wanted.Due[number] * float64(time.Second))
		time.Sleep(due - time.Since(p.began))
		p.mark(number)
		left.Go(func() { p.one(ctx, number, due) })
	}
	left.Wait()
}

// flight has so many under way, each due when there is room for it.
func (p *play) flight(ctx context.Context) {
	var next atomic.Int64
	var left sync.WaitGroup
	for range p.wanted.InFlight {
		left.Go(func() {
			for number := int(next.Add(1)) - 1; number < len(p.requests); number = int(next.Add(1)) - 1 {
				p.mark(number)
				p.one(ctx, number, time.Since(p.began))
			}
		})
	}
	left.Wait()
}

// mark says when it begins to count.
func (p *play) mark(number int) {
	if number == p.wanted.Warm {
		fmt.Fprintln(p.told, "counts")
	}
}

func (p *play) one(ctx context.Context, number int, due time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.wanted.CallSeconds*float64(time.Second)))
	defer cancel()
	made := &p.calls[number]
	made.due, made.sent = due, time.Since(p.began)
	made.err = p.connections[number%len(p.connections)].Invoke(ctx, p.wanted.Method, &p.requests[number], &made.answer)
	made.ended = time.Since(p.began)
}

func write(path string, calls []call) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	buffered := bufio.NewWriter(file)
	encoder := json.NewEncoder(buffered)
	for _, made := range calls {
		became := status.Convert(made.err)
		written := outcome{
			Code: became.Code().String(), Says: became.Message(),
			DueMs: ms(made.due), SentMs: ms(made.sent), EndedMs: ms(made.ended),
			Answer: made.answer,
		}
		for _, detail := range became.Details() {
			if info, ok := detail.(*errdetails.RetryInfo); ok {
				written.RetryMs = ms(info.GetRetryDelay().AsDuration())
			}
		}
		if err := encoder.Encode(written); err != nil {
			return err
		}
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	return file.Close()
}

func ms(duration time.Duration) float64 { return float64(duration.Microseconds()) / 1000 }
