// Command auditor verifies a transparency log (c2sp.org/tlog-tiles) in a folder or at a URL, every entry of it, with
// code that the log's writer shares nothing with. It keeps the checkpoint that it saw, and refuses a log that went back.
//
//	auditor -vkey log.vkey -seen last-checkpoint /var/lib/referrals/audit/log
package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height   = 8
	width    = 1 << height
	mostRead = width * (2 + 1<<16) // the longest that a bundle of entries can be
)

// log reads the files of a log, and is the tlog.TileReader of its tiles.
type log struct {
	base   string
	client *http.Client // nil for a folder
	ctx    context.Context
}

func main() {
	vkey := flag.String("vkey", "", "file with the log's verifier key, or the key itself")
	seen := flag.String("seen", "", "file with the checkpoint seen last time; replaced when all is well")
	within := flag.Duration("within", 10*time.Minute, "give up after this long")
	flag.Parse()
	if flag.NArg() != 1 || *vkey == "" {
		flag.Usage()
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *within)
	defer cancel()
	l := &log{base: strings.TrimSuffix(flag.Arg(0), "/"), ctx: ctx}
	if strings.HasPrefix(l.base, "https://") || strings.HasPrefix(l.base, "http://") {
		l.client = &http.Client{Timeout: 30 * time.Second}
	}
	tree, err := l.verify(*vkey, *seen)
	if err != nil {
		fmt.Fprintln(os.Stderr, "auditor: WRONG:", err)
		os.Exit(1)
	}
	fmt.Printf("auditor: right: %d entries with root %v\n", tree.N, tree.Hash)
}

func (l *log) verify(vkey, seen string) (tlog.Tree, error) {
	if data, err := os.ReadFile(vkey); err == nil {
		vkey = strings.TrimSpace(string(data))
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	signed, err := l.read("checkpoint")
	if err != nil {
		return tlog.Tree{}, err
	}
	tree, err := openCheckpoint(signed, verifier)
	if err != nil {
		return tree, fmt.Errorf("checkpoint: %w", err)
	}
	hashes := tlog.TileHashReader(tree, l)
	if err := l.verifyEntries(tree, hashes); err != nil {
		return tree, err
	}
	if l.client == nil {
		if err := l.verifyFiles(tree); err != nil {
			return tree, err
		}
	}
	if seen == "" {
		return tree, nil
	}
	if err := verifySeen(seen, verifier, tree, hashes); err != nil {
		return tree, err
	}
	return tree, os.WriteFile(seen, signed, 0o644)
}

func openCheckpoint(signed []byte, verifier note.Verifier) (tree tlog.Tree, err error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	for _, signature := range opened.Sigs { // spare bits of base64 would be a change that nothing notices
		if _, err := base64.StdEncoding.Strict().DecodeString(signature.Base64); err != nil {
			return tree, err
		}
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tree, fmt.Errorf("not the three lines of a checkpoint of %s", verifier.Name())
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil || tree.N < 0 {
		return tree, fmt.Errorf("no tree size: %q", lines[1])
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// verifyEntries checks every entry against its leaf hash; the hash reader checks every tile against the root.
func (l *log) verifyEntries(tree tlog.Tree, hashes tlog.HashReader) error {
	if root, err := tlog.TreeHash(tree.N, hashes); tree.N > 0 && (err != nil || root != tree.Hash) {
		return fmt.Errorf("the tiles do not make the checkpoint's root: %v", err)
	} else if tree.N == 0 && tree.Hash != emptyRoot {
		return errors.New("the root of the empty tree is wrong")
	}
	for n := int64(0); n*width < tree.N; n++ {
		tile := tlog.Tile{H: height, L: -1, N: n, W: int(min(width, tree.N-n*width))}
		entries, err := l.entries(tile)
		if err != nil {
			return err
		}
		indexes := make([]int64, tile.W)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, n*width+int64(i))
		}
		known, err := hashes.ReadHashes(indexes)
		if err != nil {
			return fmt.Errorf("entries %d to %d: %w", n*width, n*width+int64(tile.W), err)
		}
		for i, entry := range entries {
			if tlog.RecordHash(entry) != known[i] {
				return fmt.Errorf("%s: entry %d is not the one that was logged", path(tile), n*width+int64(i))
			}
		}
	}
	return nil
}

var emptyRoot, _ = tlog.ParseHash("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")

func (l *log) entries(tile tlog.Tile) ([][]byte, error) {
	data, err := l.read(path(tile))
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(data) >= 2 {
		end := 2 + int(binary.BigEndian.Uint16(data))
		if len(data) < end {
			break
		}
		entries, data = append(entries, data[2:end]), data[end:]
	}
	if len(data) != 0 || len(entries) != tile.W {
		return nil, fmt.Errorf("%s: must hold %d whole entries and nothing else", path(tile), tile.W)
	}
	return entries, nil
}

// verifyFiles refuses files that the checkpoint does not account for, and earlier partial files that say otherwise.
func (l *log) verifyFiles(tree tlog.Tree) error {
	return filepath.WalkDir(l.base, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(l.base, name)
		if err != nil || relative == "checkpoint" || relative == "positions" || relative == "lock" {
			return err // the last two are the writer's own, and no part of what is served
		}
		tile, err := parsePath(filepath.ToSlash(relative))
		if err != nil {
			return fmt.Errorf("%s: not accounted for", relative)
		}
		newest := tile
		newest.W = int(min(width, max(0, tree.N>>(height*max(tile.L, 0))-tile.N*width)))
		if tile.W > newest.W {
			return fmt.Errorf("%s: not accounted for by the checkpoint", relative)
		}
		if tile.W == newest.W {
			return nil
		}
		earlier, err := l.read(path(tile))
		if err != nil {
			return err
		}
		if later, err := l.read(path(newest)); err != nil || !bytes.HasPrefix(later, earlier) {
			return fmt.Errorf("%s: not the beginning of what followed it", relative)
		}
		if tile.L < 0 {
			_, err = l.entries(tile)
		} else if len(earlier) != tile.W*tlog.HashSize {
			err = fmt.Errorf("%s: must hold %d hashes", relative, tile.W)
		}
		return err
	})
}

func verifySeen(file string, verifier note.Verifier, tree tlog.Tree, hashes tlog.HashReader) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	old, err := openCheckpoint(data, verifier)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if old.N > tree.N {
		return fmt.Errorf("the log went back: it had %d entries and now has %d", old.N, tree.N)
	}
	if old.N == 0 {
		return nil
	}
	if root, err := tlog.TreeHash(old.N, hashes); err != nil || root != old.Hash {
		return fmt.Errorf("the log was forked: its first %d entries are not those seen before", old.N)
	}
	return nil
}

// Height, ReadTiles and SaveTiles make a tlog.TileReader.
func (l *log) Height() int { return height }

func (l *log) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(tiles))
	for i, tile := range tiles {
		data, err := l.read(path(tile))
		if err != nil {
			return nil, err
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s: %d bytes, not %d", path(tile), len(data), tile.W*tlog.HashSize)
		}
		found[i] = data
	}
	return found, nil
}

func (l *log) SaveTiles([]tlog.Tile, [][]byte) {}

// path is where c2sp.org/tlog-tiles puts what the go command calls tile/8/<level>/… and tile/8/data/….
func path(tile tlog.Tile) string {
	after := strings.TrimPrefix(tile.Path(), "tile/8/")
	if data, ok := strings.CutPrefix(after, "data/"); ok {
		after = "entries/" + data
	}
	return "tile/" + after
}

func parsePath(name string) (tlog.Tile, error) {
	after, ok := strings.CutPrefix(name, "tile/")
	if !ok {
		return tlog.Tile{}, errors.New("no tile")
	}
	if data, ok := strings.CutPrefix(after, "entries/"); ok {
		after = "data/" + data
	}
	return tlog.ParseTilePath("tile/8/" + after)
}

func (l *log) read(name string) ([]byte, error) {
	if err := l.ctx.Err(); err != nil {
		return nil, err
	}
	if l.client == nil {
		file, err := os.Open(filepath.Join(l.base, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return io.ReadAll(io.LimitReader(file, mostRead))
	}
	request, err := http.NewRequestWithContext(l.ctx, http.MethodGet, l.base+"/"+name, nil)
	if err != nil {
		return nil, err
	}
	response, err := l.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", name, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, mostRead))
}
