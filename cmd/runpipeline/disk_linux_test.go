package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

var disks = flag.Int("disks", 3, "on how many file systems that fill up TestADiskThatFillsUpLeavesAWholeStore runs the experiment")

// TestADiskThatFillsUpLeavesAWholeStore runs the experiment on file systems of random sizes that are too small, and
// then goes on in one that has room.
func TestADiskThatFillsUpLeavesAWholeStore(t *testing.T) {
	if testing.Short() {
		t.Skip("a run for each size")
	}
	const block = 4096
	whole := t.TempDir()
	want, _ := finish(t, whole)
	blocks := 0 // that a file system of blocks of 4 KiB takes for the store
	err := filepath.WalkDir(filepath.Join(whole, "cache"), func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && !e.IsDir() {
			blocks += int(info.Size()+block-1) / block
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	draw := rand.New(rand.NewPCG(13, 14))
	for range *disks {
		dir := t.TempDir()
		disk := filepath.Join(dir, "cache")
		size := block * (blocks/20 + draw.IntN(blocks*3/4))
		if err := os.Mkdir(disk, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
			t.Skipf("no file system can be mounted here (%v); package cache makes each step of a write fail", err)
		}
		defer syscall.Unmount(disk, 0)
		code, _, stderr := outcome(t, process(t, dir))
		if code != exitStage || !strings.Contains(stderr, "no space left on device") && !strings.Contains(stderr, "too little room in the store") {
			t.Fatalf("with %d bytes for the store the run exits with %d: %s", size, code, stderr)
		}
		isWhole(t, disk)
		if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=1g"); err != nil {
			t.Fatal(err)
		}
		if got, _ := finish(t, dir); !bytes.Equal(got, want) {
			t.Errorf("after a disk of %d bytes had been full standard output is\n%s, want\n%s", size, got, want)
		}
		noTwice(t, dir)
	}
}
