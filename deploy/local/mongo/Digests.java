/** A table of digests and places, open and in one array: 24 bytes each, where a HashMap takes a hundred. */

final class Digests {

    /** No document has this place. */
    static final long NONE = 0;

    private static final int SMALLEST = 1 << 6;
    /** A digest's halves, and the place; NONE where the slot is free. */
    private static final int SLOT = 3;

    private long[] slots = new long[SLOT * SMALLEST];
    private int mask = SMALLEST - 1;
    private int count;

    int count() {
        return count;
    }

    /** The place of this digest, or NONE. */
    long get(long high, long low) {
        return slots[slot(high, low) + 2];
    }

    /** Whether it was put: not where it was there already. */
    boolean put(long high, long low, long place) {
        int slot = slot(high, low);
        if (slots[slot + 2] != NONE) {
            return false;
        }
        fill(slot, high, low, place);
        count++;
        if (count > mask / 4 * 3) {
            grow();
        }
        return true;
    }

    /** The place that it had, or NONE. What had to go past it moves up, so that a search may end at a free slot. */
    long remove(long high, long low) {
        int free = slot(high, low) / SLOT;
        long place = slots[free * SLOT + 2];
        if (place == NONE) {
            return NONE;
        }
        for (int next = (free + 1) & mask; slots[next * SLOT + 2] != NONE; next = (next + 1) & mask) {
            int home = (int) slots[next * SLOT + 1] & mask;
            if (((next - home) & mask) >= ((next - free) & mask)) {
                System.arraycopy(slots, next * SLOT, slots, free * SLOT, SLOT);
                free = next;
            }
        }
        slots[free * SLOT + 2] = NONE;
        count--;
        return place;
    }

    /** Where the digest is, or the free slot where it would be. */
    private int slot(long high, long low) {
        int at = (int) low & mask;
        while (true) {
            int slot = at * SLOT;
            if (slots[slot + 2] == NONE || slots[slot + 1] == low && slots[slot] == high) {
                return slot;
            }
            at = (at + 1) & mask;
        }
    }

    private void fill(int slot, long high, long low, long place) {
        slots[slot] = high;
        slots[slot + 1] = low;
        slots[slot + 2] = place;
    }

    private void grow() {
        long[] before = slots;
        slots = new long[2 * before.length];
        mask = 2 * mask + 1;
        for (int slot = 0; slot < before.length; slot += SLOT) {
            if (before[slot + 2] != NONE) {
                fill(slot(before[slot], before[slot + 1]), before[slot], before[slot + 1], before[slot + 2]);
            }
        }
    }
}
