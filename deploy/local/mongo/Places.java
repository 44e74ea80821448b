/** A unique index that lies in memory: where the document of a key is. On disk is only what fills it again at the start. */

import de.bwaldvogel.mongo.backend.AbstractUniqueIndex;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.bson.BsonRegularExpression;
import de.bwaldvogel.mongo.bson.Document;
import java.util.Arrays;
import java.util.List;
import java.util.Map.Entry;
import org.h2.mvstore.MVMap;

/**
 * As shipped an index is a tree by key. Keys are random, so each new one dirtied a page of its own, which was read, copied
 * and written whole, and the more keys there were, the more pages. Here a key is the first half of its SHA-256; the table
 * in memory gives the place for it, and the file keeps, by place, the digests of the document there: what came last lies
 * together, and is written as one page.
 */
final class Places extends AbstractUniqueIndex<Object> {

    private final MVMap<Long, long[]> stored;
    private final Digests digests = new Digests();
    private final Stored.Digester digester = new Stored.Digester();

    Places(MVMap<Long, long[]> stored, String name, List<IndexKey> keys, boolean sparse) {
        super(name, keys, sparse);
        this.stored = stored;
        for (Entry<Long, long[]> each : stored.entrySet()) {
            long[] halves = each.getValue();
            for (int at = 0; at < halves.length; at += 2) {
                digests.put(halves[at], halves[at + 1], each.getKey());
            }
        }
    }

    @Override
    protected synchronized Object getPosition(KeyValue key) {
        long[] halves = digester.of(key);
        long place = digests.get(halves[0], halves[1]);
        return place == Digests.NONE ? null : (Object) place;
    }

    @Override
    protected synchronized boolean putKeyPosition(KeyValue key, Object position) {
        long[] halves = digester.of(key);
        long place = (Long) position;
        if (!digests.put(halves[0], halves[1], place)) {
            return false;
        }
        long[] before = stored.get(place);
        stored.put(place, before == null ? halves : with(before, halves));
        return true;
    }

    @Override
    protected synchronized Object removeDocument(KeyValue key) {
        long[] halves = digester.of(key);
        long place = digests.remove(halves[0], halves[1]);
        if (place == Digests.NONE) {
            return null;
        }
        long[] left = without(stored.get(place), halves);
        if (left.length == 0) {
            stored.remove(place);
        } else {
            stored.put(place, left);
        }
        return place;
    }

    /** A pattern is looked for in the documents: here are no texts. */
    @Override
    public synchronized boolean canHandle(Document query) {
        return query.values().stream().noneMatch(BsonRegularExpression::isRegularExpression) && super.canHandle(query);
    }

    @Override
    protected Iterable<Entry<KeyValue, Object>> getIterable() {
        throw new UnsupportedOperationException("keys are kept as digests");
    }

    @Override
    public synchronized long getCount() {
        return digests.count();
    }

    @Override
    public long getDataSize() {
        return getCount();
    }

    private static long[] with(long[] some, long[] more) {
        long[] all = Arrays.copyOf(some, some.length + more.length);
        System.arraycopy(more, 0, all, some.length, more.length);
        return all;
    }

    private static long[] without(long[] all, long[] one) {
        long[] left = new long[all.length - one.length];
        int kept = 0;
        for (int at = 0; at < all.length; at += 2) {
            if (all[at] != one[0] || all[at + 1] != one[1]) {
                left[kept++] = all[at];
                left[kept++] = all[at + 1];
            }
        }
        return left;
    }
}
