//go:build cgo && linux && (amd64 || arm64) && !noxla

package xla

// #cgo LDFLAGS: -ldl
// #include <dlfcn.h>
// #include <stdbool.h>
// #include <stddef.h>
// #include <stdint.h>
// #include <stdlib.h>
//
// // What is used here of PJRT's C interface (pjrt_c_api.h of OpenXLA), to which fields are only ever added at
// // the end: the size of a struct tells what it has.
// typedef void *(*function)(void *);
// enum { error_destroy, error_message, description_kind = 26, device_description = 29, device_memory = 34, functions };
//
// typedef struct {
// 	size_t size;
// 	void *extensions;
// 	struct { size_t size; void *extensions; int major, minor; } version;
// 	function call[functions];
// } table;
//
// typedef struct { size_t size; void *extensions, *error; const char *text; size_t length; } message_args;
// typedef struct { size_t size; void *extensions, *device, *description; } description_args;
// typedef struct { size_t size; void *extensions, *description; const char *kind; size_t length; } kind_args;
// typedef struct { int64_t value; bool set; } number;
// typedef struct {
// 	size_t size;
// 	void *extensions, *device;
// 	int64_t used;
// 	number peak, allocations, largest, limit, reserved, peak_reserved, reservable, largest_free, pool, peak_pool;
// } memory_args;
//
// // What a table of the interface has at least that these calls need.
// static bool whole(table *t) { return t->size >= sizeof *t; }
//
// static void *entry(void *handle) {
// 	void *(*get)(void) = (void *(*)(void))dlsym(handle, "GetPjrtApi");
// 	return get ? get() : NULL;
// }
//
// // An error is copied to text and freed.
// static void take_error(table *t, void *error, char *text, size_t most) {
// 	message_args m = {sizeof m, NULL, error};
// 	t->call[error_message](&m);
// 	size_t n = m.length < most - 1 ? m.length : most - 1;
// 	for (size_t i = 0; i < n; i++) text[i] = m.text[i];
// 	text[n] = 0;
// 	description_args d = {offsetof(description_args, description), NULL, error};
// 	t->call[error_destroy](&d);
// }
//
// static bool kind(table *t, void *device, kind_args *k, char *text, size_t most) {
// 	description_args d = {sizeof d, NULL, device};
// 	void *error = t->call[device_description](&d);
// 	if (!error) {
// 		*k = (kind_args){sizeof *k, NULL, d.description};
// 		error = t->call[description_kind](k);
// 	}
// 	if (error) take_error(t, error, text, most);
// 	return !error;
// }
//
// static bool memory(table *t, void *device, memory_args *m, char *text, size_t most) {
// 	*m = (memory_args){sizeof *m, NULL, device};
// 	void *error = t->call[device_memory](m);
// 	if (error) take_error(t, error, text, most);
// 	return !error;
// }
//
// // What is used here of NVIDIA's driver (cuda.h), whose calls return 0 when they went well. It is never unloaded.
// static void *driver(void) { return dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL); }
//
// static int cards(void *driver) {
// 	int (*init)(unsigned) = (int (*)(unsigned))dlsym(driver, "cuInit");
// 	int (*count)(int *) = (int (*)(int *))dlsym(driver, "cuDeviceGetCount");
// 	int n = 0;
// 	return init && count && !init(0) && !count(&n) ? n : 0;
// }
//
// static bool card_name(void *driver, int card, char *text, int most) {
// 	int (*get)(int *, int) = (int (*)(int *, int))dlsym(driver, "cuDeviceGet");
// 	int (*name)(char *, int, int) = (int (*)(char *, int, int))dlsym(driver, "cuDeviceGetName");
// 	int device;
// 	return get && name && !get(&device, card) && !name(text, most, device);
// }
import "C"

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
)

// loadTable loads a plugin's file and gives its table of functions.
func loadTable(path string) (unsafe.Pointer, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	handle := C.dlopen(name, C.RTLD_LAZY|C.RTLD_LOCAL)
	if handle == nil {
		return nil, fmt.Errorf("it cannot be loaded: %s", strings.TrimPrefix(C.GoString(C.dlerror()), path+": "))
	}
	table := C.entry(handle)
	if table == nil {
		return nil, errors.New("it is no PJRT plugin")
	}
	return table, nil
}

// kindOf is what a device's maker calls it.
func kindOf(table, device unsafe.Pointer) (string, error) {
	t := (*C.table)(table)
	if !C.whole(t) {
		return "", errors.New("its interface is too old")
	}
	var k C.kind_args
	var text [1 << 10]C.char
	if !C.kind(t, device, &k, &text[0], C.size_t(len(text))) {
		return "", errors.New(C.GoString(&text[0]))
	}
	return C.GoStringN(k.kind, C.int(k.length)), nil
}

// memoryOf is a device's memory. Plugins that do not count it have none.
func memoryOf(table, device unsafe.Pointer) Memory {
	t := (*C.table)(table)
	var m C.memory_args
	var text [1 << 10]C.char
	if !C.whole(t) || !C.memory(t, device, &m, &text[0], C.size_t(len(text))) {
		return Memory{}
	}
	known := func(n C.number) int64 {
		if !n.set {
			return 0
		}
		return int64(n.value)
	}
	return Memory{Limit: known(m.limit), Used: int64(m.used), Peak: known(m.peak)}
}

// Cards are the cards that NVIDIA's driver shows this program, in its order and as it calls them: a card's number is
// the one that the plugin knows it by. Without a driver there are none.
func Cards() (names []string) {
	driver := C.driver()
	if driver == nil {
		return nil
	}
	for card := range int(C.cards(driver)) {
		var text [256]C.char
		if !C.card_name(driver, C.int(card), &text[0], C.int(len(text))) {
			text[0] = 0
		}
		names = append(names, C.GoString(&text[0]))
	}
	return names
}

// clientOf is the client behind a backend, which the library does not show.
func clientOf(b compute.Backend) *pjrt.Client {
	return (*pjrt.Client)(hidden(b.(*xla.Backend), "client"))
}

// hidden is a pointer in a field that a library keeps to itself. A test opens a plugin, so that a new version of
// the library without the field is noticed.
func hidden(of any, field string) unsafe.Pointer {
	return reflect.ValueOf(of).Elem().FieldByName(field).UnsafePointer()
}
