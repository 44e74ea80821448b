/** Which documents have which value of one field, in the order of the values. As shipped there is no such index, and who
 * asks by such a field makes the server read every document, while it keeps all others waiting. */

import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.bson.Document;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.h2.mvstore.MVMap;

/**
 * A sparse index by one field: of a list each item, of nothing and null none. It names the places of at least the
 * documents that are asked for; the query itself is still asked of each of them.
 */
final class Sorted extends Index<Object> {

    private static final Set<String> BELOW = Set.of("$lt", "$lte");
    private static final Set<String> ABOVE = Set.of("$gt", "$gte");

    private final String field;

    /** The value and the document's place, so that each document has a key of its own. */
    private final MVMap<KeyValue, Object> places;

    Sorted(String name, List<IndexKey> keys, MVMap<KeyValue, Object> places) {
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

    @Override
    public long getCount() {
        return places.sizeAsLong();
    }

    @Override
    public long getDataSize() {
        return getCount();
    }

    @Override
    public void drop() {
        places.clear();
    }
}
