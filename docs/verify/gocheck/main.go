// Gocheck verifies a ledger with Go's sumdb packages: gocheck DIRECTORY VERIFIER_KEY. Debian: apt install golang-go golang-golang-x-mod-dev; GO111MODULE=off GOPATH=/usr/share/gocode go run main.go …
package main

import (
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type reader string

func (r reader) Height() int                     { return 8 }
func (r reader) SaveTiles([]tlog.Tile, [][]byte) {}
func (r reader) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, t := range tiles {
		path := strings.NewReplacer("tile/8/data/", "tile/entries/", "tile/8/", "tile/").Replace(t.Path())
		data = append(data, try(os.ReadFile(string(r)+"/"+path)))
	}
	return data, nil
}

func try[T any](value T, err error) T {
	if err != nil {
		log.Fatalln("NOT SOUND:", err)
	}
	return value
}

func main() {
	dir, verifier := os.Args[1], try(note.NewVerifier(os.Args[2]))
	signed := try(note.Open(try(os.ReadFile(dir+"/checkpoint")), note.VerifierList(verifier)))
	lines := strings.Split(signed.Text, "\n")
	tree := tlog.Tree{Hash: try(tlog.ParseHash(lines[2]))}
	try(fmt.Sscan(lines[1], &tree.N))
	hashes := tlog.TileHashReader(tree, reader(dir))
	for n := int64(0); n < tree.N; n += 256 {
		width := tree.N - n
		if width > 256 {
			width = 256
		}
		bundle := try(reader(dir).ReadTiles([]tlog.Tile{{H: 8, L: -1, N: n / 256, W: int(width)}}))[0]
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, n+int64(i))
		}
		for i, want := range try(hashes.ReadHashes(indexes)) {
			size := 2 + int(binary.BigEndian.Uint16(bundle))
			if tlog.RecordHash(bundle[2:size]) != want {
				log.Fatalln("NOT SOUND: entry", n+int64(i))
			}
			bundle = bundle[size:]
		}
	}
	fmt.Println("sound:", lines[0], tree.N, "entries")
}
