/** How documents, and the digests that indexes keep of them, lie in the store. As shipped both are Java objects, serialised
 * to be written and, for every step of a search in an index, to be compared: most of the server's time. */

import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.backend.Missing;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.bson.BsonDecoder;
import de.bwaldvogel.mongo.wire.bson.BsonEncoder;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.h2.mvstore.DataUtils;
import org.h2.mvstore.WriteBuffer;
import org.h2.mvstore.type.BasicDataType;
import org.h2.mvstore.type.DataType;

final class Stored {

    /** To be raised with every change of what is written here; a store of another form is refused. */
    static final int FORM = 3;

    static final DataType<byte[]> DOCUMENT = new Documents();
    static final DataType<long[]> DIGESTS = new Digests();

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

    /** The digests of the keys of one document: two longs each. */
    private static final class Digests extends BasicDataType<long[]> {

        @Override
        public long[][] createStorage(int size) {
            return new long[size][];
        }

        @Override
        public int getMemory(long[] halves) {
            return OBJECT_BYTES + Long.BYTES * halves.length;
        }

        @Override
        public void write(WriteBuffer out, long[] halves) {
            out.putVarInt(halves.length);
            for (long half : halves) {
                out.putLong(half);
            }
        }

        @Override
        public long[] read(ByteBuffer in) {
            long[] halves = new long[DataUtils.readVarInt(in)];
            for (int at = 0; at < halves.length; at++) {
                halves[at] = in.getLong();
            }
            return halves;
        }
    }

    /** Makes digests of keys, for one thread at a time. */
    static final class Digester {

        private static final byte TEXT = 1;
        private static final byte BSON = 2;
        private final MessageDigest sha256;

        Digester() {
            try {
                sha256 = MessageDigest.getInstance("SHA-256");
            } catch (NoSuchAlgorithmException never) {
                throw new IllegalStateException(never);
            }
        }

        /** The first half of its SHA-256, as two longs: no two keys have the same. Numbers come as the same kind. */
        long[] of(KeyValue key) {
            if (key.size() == 1 && key.get(0) instanceof String) {
                sha256.update(TEXT);
                sha256.update(((String) key.get(0)).getBytes(StandardCharsets.UTF_8));
            } else {
                List<Object> values = new ArrayList<>();
                for (Object value : key) {
                    values.add(value instanceof Missing ? null : value);
                }
                sha256.update(BSON);
                sha256.update(encoded(new Document("", values)));
            }
            ByteBuffer digest = ByteBuffer.wrap(sha256.digest());
            return new long[] {digest.getLong(), digest.getLong()};
        }
    }
}
