/** How documents and index keys lie in the store: as BSON, and compared by value. As shipped both are Java objects,
 * serialised to be written and, for every step of a search in an index, to be compared: most of the server's time. */

import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.backend.Missing;
import de.bwaldvogel.mongo.backend.ValueComparator;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.bson.BsonDecoder;
import de.bwaldvogel.mongo.wire.bson.BsonEncoder;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.h2.mvstore.DataUtils;
import org.h2.mvstore.WriteBuffer;
import org.h2.mvstore.type.BasicDataType;
import org.h2.mvstore.type.DataType;
import org.h2.mvstore.type.ObjectDataType;

final class Stored {

    /** To be raised with every change of what is written here; a store of another form is refused. */
    static final int FORM = 3;

    static final DataType<byte[]> DOCUMENT = new Documents();
    static final DataType<KeyValue> KEY = new Keys();

    private static final int OBJECT_BYTES = 32;
    private static final int LARGEST_KEPT = 1 << 20;
    private static final ThreadLocal<ByteBuf> USED_AGAIN = ThreadLocal.withInitial(() -> Unpooled.buffer(1 << 14));

    private Stored() {}

    /** A document is kept as it came: a page that is read or written again for one of them copies the others' bytes. */
    private static final class Documents extends BasicDataType<byte[]> {

        @Override
        public byte[][] createStorage(int size) {
            return new byte[size][];
        }

        @Override
        public int getMemory(byte[] bson) {
            return OBJECT_BYTES + bson.length;
        }

        @Override
        public void write(WriteBuffer out, byte[] bson) {
            out.put(bson);
        }

        @Override
        public byte[] read(ByteBuffer in) {
            byte[] bson = new byte[Integer.reverseBytes(in.duplicate().order(ByteOrder.BIG_ENDIAN).getInt())];
            in.get(bson);
            return bson;
        }
    }

    /** The document as BSON. */
    static byte[] encoded(Document document) {
        ByteBuf bson = USED_AGAIN.get().clear();
        BsonEncoder.encodeDocument(document, bson);
        byte[] exact = Arrays.copyOf(bson.array(), bson.readableBytes());
        if (bson.capacity() > LARGEST_KEPT) {
            USED_AGAIN.remove();
        }
        return exact;
    }

    /** The document that this BSON says; the caller's own, whatever is done with it. */
    static Document decoded(byte[] bson) {
        return BsonDecoder.decodeBson(Unpooled.wrappedBuffer(bson));
    }

    /** A key that is one text, as most are, as that; of texts, numbers, times and nulls as BSON; all else as shipped. */
    private static final class Keys extends BasicDataType<KeyValue> {

        private static final byte BSON = 0;
        private static final byte OBJECT = 1;
        private static final byte TEXT = 2;
        private static final Comparator<Object> BY_VALUE = ValueComparator.ascWithoutListHandling();
        private static final ObjectDataType ANY = new ObjectDataType();

        @Override
        public KeyValue[] createStorage(int size) {
            return new KeyValue[size];
        }

        @Override
        public int compare(KeyValue one, KeyValue other) {
            int shared = Math.min(one.size(), other.size());
            for (int place = 0; place < shared; place++) {
                int order = compareValues(one.get(place), other.get(place));
                if (order != 0) {
                    return order;
                }
            }
            return Integer.compare(one.size(), other.size());
        }

        private static int compareValues(Object one, Object other) {
            if (one instanceof String && other instanceof String) {
                return ((String) one).compareTo((String) other);
            }
            // To ValueComparator a value that is not there is a null; as shipped they are two keys.
            int there = Boolean.compare(one instanceof Missing, other instanceof Missing);
            return there != 0 ? there : BY_VALUE.compare(one, other);
        }

        @Override
        public int getMemory(KeyValue key) {
            int bytes = OBJECT_BYTES;
            for (Object value : key) {
                bytes += bytesOf(value);
            }
            return bytes;
        }

        @Override
        public void write(WriteBuffer out, KeyValue key) {
            if (key.size() == 1 && key.get(0) instanceof String) {
                byte[] text = ((String) key.get(0)).getBytes(StandardCharsets.UTF_8);
                out.put(TEXT).putVarInt(text.length).put(text);
                return;
            }
            List<Object> values = new ArrayList<>();
            for (Object value : key) {
                if (!(value == null || value instanceof String || value instanceof Number || value instanceof Boolean
                        || value instanceof Instant)) {
                    ANY.write(out.put(OBJECT), key);
                    return;
                }
                values.add(value);
            }
            DOCUMENT.write(out.put(BSON), encoded(new Document("", values)));
        }

        @Override
        public KeyValue read(ByteBuffer in) {
            switch (in.get()) {
                case TEXT:
                    byte[] text = new byte[DataUtils.readVarInt(in)];
                    in.get(text);
                    return new KeyValue(new String(text, StandardCharsets.UTF_8));
                case OBJECT:
                    return (KeyValue) ANY.read(in);
                default:
                    return new KeyValue((Collection<?>) decoded(DOCUMENT.read(in)).get(""));
            }
        }
    }

    /** About how much memory a value takes: by it the store splits its pages and fills its cache. */
    private static int bytesOf(Object value) {
        int bytes = OBJECT_BYTES;
        if (value instanceof String) {
            bytes += ((String) value).length();
        } else if (value instanceof byte[]) {
            bytes += ((byte[]) value).length;
        } else if (value instanceof Map) {
            for (Map.Entry<?, ?> field : ((Map<?, ?>) value).entrySet()) {
                bytes += bytesOf(field.getKey()) + bytesOf(field.getValue());
            }
        } else if (value instanceof Collection) {
            for (Object item : (Collection<?>) value) {
                bytes += bytesOf(item);
            }
        }
        return bytes;
    }
}
