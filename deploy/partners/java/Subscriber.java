import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.ByteString;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.bouncycastle.crypto.AsymmetricCipherKeyPair;
import org.bouncycastle.crypto.hpke.HPKE;
import org.bouncycastle.crypto.params.X25519PrivateKeyParameters;

/**
 * A partner's subscriber, the same as subscriber.py: reads, opens, keeps each copy once, and says that it has it.
 *
 * <p>Subscriber FOLDER DESCRIPTORS: FOLDER holds kafka.json and private_key (docs/partners.md), DESCRIPTORS is the
 * published language, descriptors.binpb. Copies are kept in FOLDER/copies, one file each.
 */
public final class Subscriber {
    private static final int ENCAPSULATED_KEY = 32;

    public static void main(String[] arguments) throws Exception {
        var folder = Path.of(arguments[0]).toAbsolutePath().normalize();
        var partner = folder.getFileName().toString();
        var settings = JsonParser.parseString(Files.readString(folder.resolve("kafka.json"))).getAsJsonObject();
        var language = language(Path.of(arguments[1]));
        var key = key(HexFormat.of().parseHex(Files.readString(folder.resolve("private_key")).strip()));
        var hpke = new HPKE(HPKE.mode_base, HPKE.kem_X25519_SHA256, HPKE.kdf_HKDF_SHA256, HPKE.aead_AES_GCM256);
        var copies = Files.createDirectories(folder.resolve("copies"));
        var bytesIn = new ByteArrayDeserializer();
        var bytesOut = new ByteArraySerializer();
        try (var consumer = new KafkaConsumer<>(consumerSettings(settings), bytesIn, bytesIn);
                var producer = new KafkaProducer<>(producerSettings(settings), bytesOut, bytesOut)) {
            consumer.subscribe(List.of(settings.get("topic").getAsString()));
            while (true) {
                for (var record : consumer.poll(Duration.ofSeconds(1))) {
                    var sealed = DynamicMessage.parseFrom(language.get("PartnerRecord"), record.value());
                    var info = "referrals/copy/v1|" + partner + "|" + text(sealed, "leg_id") + "|" + text(sealed, "event_id");
                    var copy = DynamicMessage.parseFrom(language.get("Copy"), open(hpke, key, info, sealed));
                    // By event id: a repeat is kept once.
                    Files.write(copies.resolve(text(copy, "event_id")), copy.toByteArray());
                    if (copy.hasField(language.get("Copy").findFieldByName("offer"))) {
                        var reply = received(language.get("Reply"), copy).toByteArray();
                        var topic = settings.get("replies_topic").getAsString();
                        producer.send(new ProducerRecord<>(topic, record.key(), reply)).get();
                    }
                }
                consumer.commitSync(); // last: whatever fails above is read again
            }
        }
    }

    /** The answer to an offer. Its id follows from leg and step, so a repeated answer is taken once. */
    private static DynamicMessage received(Descriptor reply, DynamicMessage copy) {
        var step = reply.findFieldByName("received");
        return DynamicMessage.newBuilder(reply)
                .setField(reply.findFieldByName("reply_id"), text(copy, "leg_id") + ":received")
                .setField(reply.findFieldByName("referral_id"), text(copy, "referral_id"))
                .setField(reply.findFieldByName("leg_id"), text(copy, "leg_id"))
                .setField(step, DynamicMessage.getDefaultInstance(step.getMessageType()))
                .build();
    }

    /** The encapsulated key comes first, then the ciphertext. */
    private static byte[] open(HPKE hpke, AsymmetricCipherKeyPair key, String info, DynamicMessage sealed)
            throws Exception {
        var field = sealed.getDescriptorForType().findFieldByName("sealed_copy");
        var bytes = ((ByteString) sealed.getField(field)).toByteArray();
        var encapsulated = Arrays.copyOfRange(bytes, 0, ENCAPSULATED_KEY);
        var ciphertext = Arrays.copyOfRange(bytes, ENCAPSULATED_KEY, bytes.length);
        var bound = info.getBytes(StandardCharsets.UTF_8);
        return hpke.open(encapsulated, key, bound, new byte[0], ciphertext, null, null, null);
    }

    private static AsymmetricCipherKeyPair key(byte[] raw) {
        var secret = new X25519PrivateKeyParameters(raw);
        return new AsymmetricCipherKeyPair(secret.generatePublicKey(), secret);
    }

    private static String text(DynamicMessage message, String field) {
        return (String) message.getField(message.getDescriptorForType().findFieldByName(field));
    }

    private static Map<String, Object> consumerSettings(JsonObject settings) {
        var found = login(settings);
        found.put("group.id", settings.get("group_prefix").getAsString() + "subscriber");
        found.put("enable.auto.commit", "false");
        found.put("auto.offset.reset", "earliest");
        found.put("allow.auto.create.topics", "false");
        found.put("session.timeout.ms", "10000"); // who was ended reads on in 10 s
        return found;
    }

    private static Map<String, Object> producerSettings(JsonObject settings) {
        var found = login(settings);
        found.put("acks", "all");
        found.put("enable.idempotence", "true");
        return found;
    }

    private static Map<String, Object> login(JsonObject settings) {
        var login = settings.getAsJsonObject("login");
        var user = login.get("sasl_plain_username").getAsString();
        var password = login.get("sasl_plain_password").getAsString();
        var module = "org.apache.kafka.common.security.scram.ScramLoginModule required";
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("bootstrap.servers", login.get("bootstrap_servers").getAsString());
        found.put("security.protocol", login.get("security_protocol").getAsString());
        found.put("sasl.mechanism", login.get("sasl_mechanism").getAsString());
        found.put("sasl.jaas.config", module + " username=\"" + user + "\" password=\"" + password + "\";");
        return found;
    }

    /** The messages of the published language by name. A descriptor set lists each file after those it imports. */
    private static Map<String, Descriptor> language(Path descriptors) throws Exception {
        Map<String, FileDescriptor> files = new LinkedHashMap<>();
        Map<String, Descriptor> messages = new LinkedHashMap<>();
        for (FileDescriptorProto file : FileDescriptorSet.parseFrom(Files.readAllBytes(descriptors)).getFileList()) {
            var imports = file.getDependencyList().stream().map(files::get).toArray(FileDescriptor[]::new);
            var built = FileDescriptor.buildFrom(file, imports);
            files.put(file.getName(), built);
            if (file.getPackage().equals("safeguarding.v1")) {
                built.getMessageTypes().forEach(message -> messages.put(message.getName(), message));
            }
        }
        return messages;
    }
}
