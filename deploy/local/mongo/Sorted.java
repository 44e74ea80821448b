/** Which documents have which value of one field, in the order of the values. As shipped there is no such index, and who
 * asks by such a field makes the server read every document, while it keeps all others waiting. */

import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.backend.ValueComparator;
import de.bwaldvogel.mongo.bson.Document;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.WriteBuffer;
import org.h2.mvstore.type.BasicDataType;
import org.h2.mvstore.type.DataType;

/**
 * A sparse index by one field: of a list each item, of nothing and null none. It names the places of at least the
 * documents that are asked for; the query itself is still asked of each of them.
 */
final class Sorted extends Index<Object> {

    private static final Set<String> BELOW = Set.of("$lt", "$lte");
    private static final Set<String> ABOVE = Set.of("$gt", "$gte");

    /** Of the map that `places` is kept in. */
    static final DataType<KeyValue> KEY = new Keys();

    /** Says that the documents which were there first are in it: there may be none of a value, and no need to look again. */
    private static final KeyValue FILLED = new KeyValue(null, 0L);

    private final String field;

    /** The value and the document's place, so that each document has a key of its own. */
    private final MVMap<KeyValue, Boolean> places;

    Sorted(String name, List<IndexKey> keys, MVMap<KeyValue, Boolean> places) {
        super(name, keys, true);
        this.field = keys.get(0).getKey();
        this.places = places;
    }

    @Override
    public void add(Document document, Object place, MongoCollection<Object> collection) {
        for (Object value : valuesOf(document)) {
            places.put(new KeyValue(value, place), true);
        }
    }

    /** Takes away what the document at this place is found by. */
    void forget(Document document, Object place) {
        for (Object value : valuesOf(document)) {
            places.remove(new KeyValue(value, place));
        }
    }

    @Override
    public void updateInPlace(Document before, Document after, Object place, MongoCollection<Object> collection) {
        if (!nullAwareEqualsKeys(before, after)) {
            forget(before, place);
            add(after, place, collection);
        }
    }

    @Override
    public boolean canHandle(Document query) {
        Object asked = query.get(field);
        if (!(asked instanceof Document)) {
            return isHeld(asked);
        }
        Document range = (Document) asked;
        return range.size() == 1 && isHeld(range.values().iterator().next())
                && (BELOW.containsAll(range.keySet()) || ABOVE.containsAll(range.keySet()));
    }

    @Override
    public Iterable<Object> getPositions(Document query) {
        Object asked = query.get(field);
        if (!(asked instanceof Document)) {
            return between(new KeyValue(asked).normalized(), new KeyValue(asked).normalized());
        }
        Document range = (Document) asked;
        KeyValue end = new KeyValue(range.values().iterator().next()).normalized();
        return BELOW.containsAll(range.keySet()) ? between(null, end) : between(end, null);
    }

    /** The places in the order in which the documents came, as a scan would find them. */
    private Collection<Object> between(KeyValue first, KeyValue last) {
        Set<Object> found = new TreeSet<>();
        for (Iterator<KeyValue> keys = places.keyIterator(first); keys.hasNext();) {
            KeyValue key = keys.next();
            if (key.equals(FILLED)) {
                continue;
            }
            if (last != null && places.getKeyType().compare(new KeyValue(key.get(0)), last) > 0) {
                break;
            }
            found.add(key.get(1));
        }
        return found;
    }

    private List<Object> valuesOf(Document document) {
        List<Object> values = new ArrayList<>();
        for (KeyValue value : getKeyValues(document)) {
            if (isHeld(value.get(0))) {
                values.add(value.get(0));
            }
        }
        return values;
    }

    private static boolean isHeld(Object value) {
        return value instanceof String || value instanceof Number || value instanceof Boolean || value instanceof Instant;
    }

    /** Only the unique index on `_id` says where a document is; this one would have to be told, as `forget` is. */
    @Override
    public Object remove(Document document) {
        return null;
    }

    @Override
    public Object getPosition(Document document) {
        return null;
    }

    @Override
    public void checkAdd(Document document, MongoCollection<Object> collection) {}

    @Override
    public void checkUpdate(Document before, Document after, MongoCollection<Object> collection) {}

    /** To be called once all documents that were there before it have been added. */
    void filled() {
        places.putIfAbsent(FILLED, true);
    }

    @Override
    public boolean isEmpty() {
        return !places.containsKey(FILLED);
    }

    @Override
    public long getCount() {
        return places.sizeAsLong() - (isEmpty() ? 0 : 1);
    }

    @Override
    public long getDataSize() {
        return getCount();
    }

    @Override
    public void drop() {
        places.clear();
    }

    /** A value, and with it, but where it is looked for, a place. */
    private static final class Keys extends BasicDataType<KeyValue> {

        private static final int BYTES = 96;
        private static final Comparator<Object> BY_VALUE = ValueComparator.ascWithoutListHandling();

        @Override
        public KeyValue[] createStorage(int size) {
            return new KeyValue[size];
        }

        /** By value, then by place; the value alone comes before all of its places. */
        @Override
        public int compare(KeyValue one, KeyValue other) {
            for (int at = 0; at < Math.min(one.size(), other.size()); at++) {
                int order = BY_VALUE.compare(one.get(at), other.get(at));
                if (order != 0) {
                    return order;
                }
            }
            return Integer.compare(one.size(), other.size());
        }

        @Override
        public int getMemory(KeyValue key) {
            return BYTES;
        }

        @Override
        public void write(WriteBuffer out, KeyValue key) {
            Stored.DOCUMENT.write(out, Stored.encoded(new Document("", key.stream().collect(Collectors.toList()))));
        }

        @Override
        public KeyValue read(ByteBuffer in) {
            return new KeyValue((Collection<?>) Stored.decoded(Stored.DOCUMENT.read(in)).get(""));
        }
    }
}
