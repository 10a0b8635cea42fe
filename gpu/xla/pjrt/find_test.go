package pjrt

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// library is the bytes of a shared library that defines or, if undefined, asks for one symbol.
func library(symbol string, machine elf.Machine, undefined bool) []byte {
	var b bytes.Buffer
	names := "\x00" + symbol + "\x00"
	sections := "\x00.dynsym\x00.dynstr\x00.shstrtab\x00"
	const head, row = 64, 64
	dynsym, dynstr := head, head+48
	shstrtab := dynstr + len(names)
	table := shstrtab + len(sections)
	h := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(machine), Version: 1, Shoff: uint64(table), Ehsize: head, Shentsize: row, Shnum: 4, Shstrndx: 3}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	index := uint16(1)
	if undefined {
		index = 0
	}
	for _, part := range []any{
		h, elf.Sym64{}, elf.Sym64{Name: 1, Info: byte(elf.STB_GLOBAL)<<4 | byte(elf.STT_FUNC), Shndx: index}, []byte(names), []byte(sections),
		elf.Section64{},
		elf.Section64{Name: 1, Type: uint32(elf.SHT_DYNSYM), Off: uint64(dynsym), Size: 48, Link: 2, Entsize: 24},
		elf.Section64{Name: 9, Type: uint32(elf.SHT_STRTAB), Off: uint64(dynstr), Size: uint64(len(names))},
		elf.Section64{Name: 17, Type: uint32(elf.SHT_STRTAB), Off: uint64(shstrtab), Size: uint64(len(sections))},
	} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// plugin is the bytes of a file that looks like a plugin.
func plugin() []byte { return library(entry, machines[runtime.GOARCH], false) }

// put writes a file and gives its path.
func put(t *testing.T, content []byte, parts ...string) string {
	t.Helper()
	path := filepath.Join(parts...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// bare is a machine on which nothing names a plugin.
func bare(t *testing.T) (installed string) {
	t.Helper()
	for _, v := range append(Variables(CPU), Variables(CUDA)...) {
		t.Setenv(v, "")
	}
	data := t.TempDir()
	t.Setenv("XDG_DATA_HOME", data)
	return filepath.Join(data, "runpipeline", "plugins", "xla-cpu")
}

func TestOrderOfPlaces(t *testing.T) {
	installed := bare(t)
	dir := t.TempDir()
	given := put(t, plugin(), dir, "given", "any name.so")
	single := put(t, plugin(), dir, "single.so")
	listed := put(t, plugin(), dir, "a, b:c.so")
	folder := filepath.Dir(put(t, plugin(), dir, "folder", "pjrt_c_api_cpu_plugin.so"))
	put(t, plugin(), installed, "wheel", "pjrt_c_api_cpu_plugin.so")

	want := func(explicit, path, from string) {
		t.Helper()
		f, err := Find(CPU, explicit)
		if err != nil || f.Path != path || f.From != from {
			t.Errorf("found %s from %s, %v; want %s from %s", f.Path, f.From, err, path, from)
		}
	}
	want("", filepath.Join(installed, "wheel", "pjrt_c_api_cpu_plugin.so"), "runpipeline device install")
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "/nowhere:"+dir+"/given:"+folder)
	want("", filepath.Join(folder, "pjrt_c_api_cpu_plugin.so"), "PJRT_PLUGIN_LIBRARY_PATH")
	t.Setenv("PJRT_NAMES_AND_LIBRARY_PATHS", "cuda:/x.so")
	want("", filepath.Join(folder, "pjrt_c_api_cpu_plugin.so"), "PJRT_PLUGIN_LIBRARY_PATH")
	t.Setenv("PJRT_NAMES_AND_LIBRARY_PATHS", "cuda:/x.so,cpu:"+listed+",tpu:/y.so")
	want("", listed, "PJRT_NAMES_AND_LIBRARY_PATHS")
	t.Setenv("PJRT_CPU_PLUGIN", single)
	want("", single, "PJRT_CPU_PLUGIN")
	want(given, given, "-device_plugin")

	t.Chdir(dir)
	want("single.so", single, "-device_plugin")
}

// What the user chose and is wrong is an error; what comes after it is not taken instead.
func TestWrongChoicesAreErrors(t *testing.T) {
	installed := bare(t)
	put(t, plugin(), installed, "pjrt_c_api_cpu_plugin.so")
	dir := t.TempDir()
	wrong := func(explicit, want string) {
		t.Helper()
		f, err := Find(CPU, explicit)
		if !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: found %s, %v; want %q", explicit, f.Path, err, want)
		}
	}
	other := elf.EM_S390
	wrong(filepath.Join(dir, "gone.so"), "gone.so: no such file")
	wrong(put(t, nil, dir, "empty.so"), "empty.so (from -device_plugin): it is no shared library")
	wrong(put(t, []byte("INPUT(libm.so.6)\n"), dir, "text.so"), "it is no shared library")
	wrong(put(t, library("sin", machines[runtime.GOARCH], false), dir, "libm.so"), "no PJRT plugin: it has no GetPjrtApi")
	wrong(put(t, library(entry, machines[runtime.GOARCH], true), dir, "user.so"), "no PJRT plugin")
	wrong(put(t, library(entry, other, false), dir, "far.so"), "for another processor")
	wrong(put(t, plugin()[:100], dir, "cut.so"), "it is no shared library")

	wrong(filepath.Dir(put(t, plugin(), dir, "cards", "xla_cuda_plugin.so")), "no file in this folder is called like a plugin for xla-cpu")
	put(t, plugin(), dir, "two", "pjrt_c_api_cpu_plugin.so")
	wrong(filepath.Dir(put(t, plugin(), dir, "two", "pjrt_c_api_cpu_v2_plugin.so")), "several plugins for xla-cpu, name one")
	for _, v := range []string{"PJRT_CPU_PLUGIN", "PJRT_NAMES_AND_LIBRARY_PATHS", "PJRT_PLUGIN_LIBRARY_PATH"} {
		value := map[string]string{"PJRT_CPU_PLUGIN": "/gone.so", "PJRT_NAMES_AND_LIBRARY_PATHS": "cpu:/gone.so"}[v]
		if value == "" {
			value = filepath.Join(dir, "two")
		}
		t.Run(v, func(t *testing.T) {
			t.Setenv(v, value)
			wrong("", v)
		})
	}
	t.Setenv("PJRT_NAMES_AND_LIBRARY_PATHS", "/just/a/path.so")
	wrong("", `"/just/a/path.so": want name:path`)
	t.Setenv("PJRT_NAMES_AND_LIBRARY_PATHS", "cpu:/a.so,cpu:/b.so")
	wrong("", "two plugins for xla-cpu")
}

// A folder as pip leaves it, with links, and with letters that mean something in patterns.
func TestSitePackages(t *testing.T) {
	bare(t)
	site := filepath.Join(t.TempDir(), "site-[*]packages")
	cuda := put(t, plugin(), site, "jax_plugins", "xla_cuda13", "xla_cuda_plugin.so")
	cpu := put(t, append(plugin(), 0), site, "lammps_jax_pjrt_cpu", "pjrt_c_api_cpu_plugin.so")
	if err := os.Symlink(cpu, filepath.Join(site, "pjrt_c_api_cpu_plugin.so")); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(plugin())
	row := "jax_plugins/xla_cuda13/xla_cuda_plugin.so,sha256=" + base64.RawURLEncoding.EncodeToString(sum[:]) + ",1\n"
	put(t, []byte("jax_plugins/__init__.py,,\n"+row), site, "jax_cuda13_pjrt-0.12.0.dist-info", "RECORD")
	// A list of files that has the name, and another content: the file was changed.
	put(t, []byte(strings.Replace(row, "jax_plugins/xla_cuda13/xla_cuda_plugin.so", "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so", 1)), site, "lammps_jax_pjrt_cpu-0.11.2.dist-info", "RECORD")

	f, err := Find(CUDA, site)
	if err != nil || f.Path != cuda || f.Wheel != "jax-cuda13-pjrt 0.12.0" || f.Digest != hex.EncodeToString(sum[:]) {
		t.Errorf("found %+v, %v", f, err)
	}
	if want := "pjrt-" + f.Digest[:12]; f.Compiler() != want || !strings.HasPrefix(f.Title(), "jax-cuda13-pjrt 0.12.0, sha256 ") {
		t.Errorf("compiler %s, title %s; want %s", f.Compiler(), f.Title(), want)
	}
	if f, err := Find(CPU, site); err != nil || f.Wheel != "" {
		t.Errorf("found %+v, %v; want a file of no wheel", f, err)
	}
}

// The name in recipes follows the content, wherever the file is and whatever it was before.
func TestCompilerFollowsContent(t *testing.T) {
	for _, r := range releases {
		if got, want := (File{Digest: r.Library}).Compiler(), r.Package+"-"+r.Version; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	bare(t)
	path := put(t, plugin(), t.TempDir(), "x.so")
	one, err := Find(CPU, path)
	if err != nil {
		t.Fatal(err)
	}
	put(t, append(plugin(), "changed"...), path)
	two, err := Find(CPU, path)
	if err != nil || one.Compiler() == two.Compiler() {
		t.Errorf("%s before and after a change, %v", one.Compiler(), err)
	}
}

func FuzzNamed(f *testing.F) {
	f.Add("cpu:/a.so,cuda:/b.so")
	f.Add(",:")
	f.Fuzz(func(t *testing.T, list string) {
		path, err := named(CPU, list)
		if err == nil && path != "" && !strings.Contains(list, path) {
			t.Errorf("%q gives %q", list, path)
		}
	})
}
