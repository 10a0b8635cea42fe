package artifacts

import "encoding/binary"

// Limits on the description of a table. They are far above what this package writes and
// far below what would hurt: Arrow's reader allocates, recurses and multiplies as the
// description tells it to, so the description is measured before Arrow sees it.
const (
	maxDescription = 16 << 20 // bytes of one message's metadata
	maxColumns     = 64
	maxFacts       = 1024
)

// The parts of Arrow's Message.fbs and Schema.fbs that matter here, by field number.
const (
	messageVersion, messageKind, messageHeader, messageBody, messageExtra = 0, 1, 2, 3, 4
	schemaFields, schemaFacts                                             = 1, 2
	fieldName, fieldKind                                                  = 0, 2
	fieldDictionary, fieldChildren, fieldFacts                            = 4, 5, 6
	batchRowCount, batchNodes, batchBuffers, batchCodec, batchVariadic    = 0, 1, 2, 3, 4

	versionV5               = 4 // metadata version since Arrow 1.0
	kindSchema, kindRecords = 1, 3
)

// typeKinds are the Arrow types that this package writes: Int, FloatingPoint, Utf8, Bool, List,
// FixedSizeList. Others have parts of their own, a union's list of ids for instance, that
// Arrow's reader allocates unseen.
var typeKinds = [...]bool{2: true, 3: true, 5: true, 6: true, 12: true, 16: true}

// A flat reads a flatbuffer with every offset checked. The first bad one sets bad, and all
// that is read afterwards is zero.
//
// A flatbuffer is a graph of tables joined by offsets, and a hostile one may share a table
// between many parents or nest without end: its caller must bound the walk.
type flat struct {
	b   []byte
	bad bool
}

func (f *flat) at(pos, n int) []byte {
	if f.bad || pos < 0 || n < 0 || pos > len(f.b)-n {
		f.bad = true
		return make([]byte, 8)
	}
	return f.b[pos : pos+n]
}

func (f *flat) u8(pos int) int    { return int(f.at(pos, 1)[0]) }
func (f *flat) u16(pos int) int   { return int(binary.LittleEndian.Uint16(f.at(pos, 2))) }
func (f *flat) u32(pos int) int   { return int(binary.LittleEndian.Uint32(f.at(pos, 4))) }
func (f *flat) i64(pos int) int64 { return int64(binary.LittleEndian.Uint64(f.at(pos, 8))) }

// indirect follows the offset at pos; offsets only ever point forward.
func (f *flat) indirect(pos int) int { return pos + f.u32(pos) }

// field returns the position of a table's field, or 0 if the table leaves it out. Odd-sized vtables are
// refused: Arrow's reader would find a field whose entry lies half beyond their end.
func (f *flat) field(table, number int) int {
	vtable := table - int(int32(f.u32(table)))
	size := f.u16(vtable)
	if size%2 != 0 {
		f.bad = true
	}
	if 4+2*number >= size {
		return 0
	}
	offset := f.u16(vtable + 4 + 2*number)
	if offset == 0 || f.bad {
		return 0
	}
	return table + offset
}

// vector returns where the elements of the vector in a table's field begin and how many
// there are, having checked that all of them lie inside the buffer.
func (f *flat) vector(table, number, size int) (first, n int) {
	pos := f.field(table, number)
	if pos == 0 {
		return 0, 0
	}
	pos = f.indirect(pos)
	n = f.u32(pos)
	if n > len(f.b)/size {
		f.bad = true
		return 0, 0
	}
	f.at(pos+4, n*size)
	return pos + 4, n
}

// A description is what a message says about itself, as far as it has been checked.
type description struct {
	kind           int // kindSchema or kindRecords
	body           int64
	nodes, buffers int // of a batch; Arrow's reader takes as many as the schema asks for
}

// describe checks the metadata of one message and returns its kind and the length of the
// body that follows. ok is false if it is damaged, hostile, or uses a feature of Arrow that
// this package never writes: dictionaries, compression, nulls, extension types, nesting
// beyond lists.
func describe(meta []byte) (d description, ok bool) {
	f := &flat{b: meta}
	message := f.indirect(0)
	if pos := f.field(message, messageVersion); pos == 0 || f.u16(pos) != versionV5 {
		return d, false
	}
	if pos := f.field(message, messageKind); pos != 0 {
		d.kind = f.u8(pos)
	}
	if pos := f.field(message, messageBody); pos != 0 {
		d.body = f.i64(pos)
	}
	header := f.field(message, messageHeader)
	if header == 0 || d.body < 0 || f.field(message, messageExtra) != 0 {
		return d, false
	}
	switch header = f.indirect(header); d.kind {
	case kindSchema:
		return d, f.schema(header) && d.body == 0 && !f.bad
	case kindRecords:
		return d, f.records(header, &d) && !f.bad
	}
	return d, false
}

// schema bounds the walk that Arrow will make: at most maxColumns fields of at most one
// child each, which has none.
func (f *flat) schema(table int) bool {
	total := 0 // shared strings could make many copies of one long text
	first, n := f.vector(table, schemaFields, 4)
	if n > maxColumns {
		return false
	}
	for i := range n {
		if !f.column(f.indirect(first+4*i), 1, &total) {
			return false
		}
	}
	facts, n := f.vector(table, schemaFacts, 4)
	if n > maxFacts {
		return false
	}
	for i := range n {
		pair := f.indirect(facts + 4*i)
		for part := range 2 { // key and value
			_, size := f.vector(pair, part, 1)
			total += size
		}
	}
	return total <= len(f.b)
}

// column adds the length of its name, and of its items', to total.
func (f *flat) column(table, depth int, total *int) bool {
	if f.field(table, fieldDictionary) != 0 {
		return false
	}
	pos := f.field(table, fieldKind)
	if pos == 0 {
		return false
	}
	if kind := f.u8(pos); kind >= len(typeKinds) || !typeKinds[kind] {
		return false
	}
	_, name := f.vector(table, fieldName, 1)
	*total += name
	if _, n := f.vector(table, fieldFacts, 4); n != 0 {
		return false
	}
	first, n := f.vector(table, fieldChildren, 4)
	if n > depth {
		return false
	}
	return n == 0 || f.column(f.indirect(first), depth-1, total)
}

// records checks that the buffers lie inside the body and together are no larger, and that
// no column claims nulls or more rows than the body has bits.
func (f *flat) records(table int, d *description) bool {
	if f.field(table, batchCodec) != 0 || f.field(table, batchVariadic) != 0 {
		return false
	}
	possible := func(rows int64) bool { return rows >= 0 && rows/8 <= d.body }
	if pos := f.field(table, batchRowCount); pos != 0 && !possible(f.i64(pos)) {
		return false
	}
	first, n := f.vector(table, batchNodes, 16)
	d.nodes = n
	for i := range n {
		if length, nulls := f.i64(first+16*i), f.i64(first+16*i+8); !possible(length) || nulls != 0 {
			return false
		}
	}
	first, n = f.vector(table, batchBuffers, 16)
	d.buffers = n
	var total int64
	for i := range n {
		offset, size := f.i64(first+16*i), f.i64(first+16*i+8)
		if offset < 0 || size < 0 || offset > d.body || size > d.body-offset {
			return false
		}
		total += size
	}
	return total <= d.body
}
