import java.util.Properties;
import java.util.Set;

/** Writes what its argument names: a properties file, or the members of a set. */
public class Planted {
    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("properties")) {
            Properties properties = new Properties();
            properties.setProperty("version", "1");
            properties.store(System.out, null);
        } else {
            Set.of("ant", "bee", "cat", "doe", "elk", "fox", "gnu", "hen", "ibex", "jay")
                .forEach(System.out::println);
        }
    }
}
