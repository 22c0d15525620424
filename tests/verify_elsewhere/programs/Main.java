// Reads tokens, each a line of base64, and tells of each what Sessions makes of it.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

public final class Main {
    public static void main(String[] arguments) throws Exception {
        Sessions sessions = new Sessions(System.getenv("KATAVEN_URL"));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null; ) {
            String token = new String(Base64.getDecoder().decode(line), StandardCharsets.UTF_8);
            try {
                System.out.println("good " + sessions.verify(token).getSubject());
            } catch (Sessions.Invalid error) {
                System.out.println("invalid");
            } catch (Exception error) {
                System.out.println("no keys: " + error);
            }
        }
    }
}
