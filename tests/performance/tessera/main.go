// The peer of audit's log: Tessera's POSIX driver, driven in-process. Prints one JSON document.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	checker "github.com/transparency-dev/tessera/fsck"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

const entryBytes = 400

func main() {
	folder := flag.String("folder", "", "an empty folder on the disk that is measured")
	entries := flag.Int("entries", 100000, "how many")
	inFlight := flag.Int("in-flight", 4000, "how many wait at a time")
	checkpointed := flag.Bool("checkpointed", false, "an entry waits until a checkpoint covers it")
	rate := flag.Int("rate", 0, "entries a second, instead of as many as can be")
	batch := flag.Uint("batch", tessera.DefaultBatchMaxSize, "")
	age := flag.Duration("age", tessera.DefaultBatchMaxAge, "")
	interval := flag.Duration("interval", time.Second, "between checkpoints")
	fsck := flag.String("fsck", "", "a verifier key: verify the log in the folder instead")
	flag.Parse()
	if *fsck != "" {
		check(*folder, *fsck, *entries)
		return
	}

	ctx := context.Background()
	secret, _, err := note.GenerateKey(rand.Reader, "bench.invalid/log")
	must(err)
	signer, err := note.NewSigner(secret)
	must(err)
	driver, err := posix.New(ctx, posix.Config{Path: *folder})
	must(err)
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(*interval).
		WithBatching(*batch, *age).
		WithPushback(uint(*inFlight + 1))
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	must(err)
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 2*time.Millisecond)

	made := make([][]byte, *entries)
	for i := range made {
		made[i] = make([]byte, entryBytes)
		copy(made[i], strconv.Itoa(i))
	}
	took := make([]time.Duration, *entries)
	places := make(chan struct{}, *inFlight)
	var all sync.WaitGroup
	cpu, began := used(), time.Now()
	for i := range made {
		due := time.Now()
		if *rate > 0 {
			due = began.Add(time.Duration(i) * time.Second / time.Duration(*rate))
			time.Sleep(time.Until(due))
		}
		places <- struct{}{}
		all.Add(1)
		future := appender.Add(ctx, tessera.NewEntry(made[i]))
		go func() {
			defer all.Done()
			if *checkpointed || *rate > 0 {
				_, _, err := awaiter.Await(ctx, future)
				must(err)
			} else {
				_, err := future()
				must(err)
			}
			took[i] = time.Since(due)
			<-places
		}()
	}
	all.Wait()
	for size(ctx, reader) < *entries { // signed, all of it
		time.Sleep(time.Millisecond)
	}
	wall, cpu := time.Since(began).Seconds(), used()-cpu
	must(shutdown(ctx))

	sort.Slice(took, func(a, b int) bool { return took[a] < took[b] })
	must(json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"per_second": float64(*entries) / wall,
		"per_cpu":    float64(*entries) / cpu,
		"p50":        took[len(took)/2].Seconds() * 1000,
		"p99":        took[len(took)*99/100].Seconds() * 1000,
		"memory":     mostResident(),
	}))
}

// As Tessera's own fsck command does it, with one worker.
func check(folder, vkey string, entries int) {
	verifier, err := note.NewVerifier(vkey)
	must(err)
	cpu, began := used(), time.Now()
	found := checker.New(verifier.Name(), verifier, client.FileFetcher{Root: folder}, leafHashes, checker.Opts{N: 1})
	must(found.Check(context.Background()))
	wall, cpu := time.Since(began).Seconds(), used()-cpu
	must(json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"per_second": float64(entries) / wall,
		"per_cpu":    float64(entries) / cpu,
		"memory":     mostResident(),
	}))
}

func leafHashes(bundle []byte) ([][]byte, error) {
	entries := api.EntryBundle{}
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(entries.Entries))
	for _, entry := range entries.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

func size(ctx context.Context, reader tessera.LogReader) int {
	checkpoint, err := reader.ReadCheckpoint(ctx)
	if err != nil {
		return 0
	}
	found, err := strconv.Atoi(strings.Split(string(checkpoint), "\n")[1])
	must(err)
	return found
}

// In MiB; getrusage would tell of the process that started this one.
func mostResident() float64 {
	status, err := os.ReadFile("/proc/self/status")
	must(err)
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kibibytes, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	must(err)
	return kibibytes / 1024
}

func used() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
