package cache

import (
	"testing"
)

// In an overlay everything can be read and nothing is known; what is written there stays there.
func TestOverlaysChangeNothing(t *testing.T) {
	base := NewMemory()
	r := NewRecipe("k", 1)
	d := put(t, base, "below")
	if err := base.Commit(t.Context(), r, []Output{{Name: "o", Kind: "k", Digest: d, Bytes: 5}}); err != nil {
		t.Fatal(err)
	}
	o := Overlay(base)
	if b, err := o.Read(t.Context(), d); err != nil || string(b) != "below" {
		t.Errorf("Read = %q, %v", b, err)
	}
	if rc, err := o.Open(t.Context(), d); err != nil {
		t.Error(err)
	} else {
		rc.Close()
	}
	if ok, err := o.Has(t.Context(), d); !ok || err != nil {
		t.Errorf("Has = %t, %v", ok, err)
	}
	if _, ok, err := o.Lookup(t.Context(), r.Key()); ok || err != nil {
		t.Errorf("Lookup = %t, %v; want a miss", ok, err)
	}
	above := put(t, o, "above")
	if err := o.Commit(t.Context(), r, []Output{{Name: "o", Kind: "k", Digest: above, Bytes: 5}}); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := o.Lookup(t.Context(), r.Key()); !ok || err != nil || got[0].Digest != above {
		t.Errorf("Lookup = %v, %t, %v", got, ok, err)
	}
	if b, err := o.Read(t.Context(), above); err != nil || string(b) != "above" {
		t.Errorf("Read = %q, %v", b, err)
	}
	if ok, err := base.Has(t.Context(), above); ok || err != nil {
		t.Errorf("the store below has it: %t, %v", ok, err)
	}
	if got, _, err := base.Lookup(t.Context(), r.Key()); err != nil || got[0].Digest != d {
		t.Errorf("the store below says %v, %v", got, err)
	}
}
