/** Java's share of draws.py. */
public class Draws {
    private static String hex(java.security.SecureRandom random) {
        byte[] bytes = new byte[16];
        random.nextBytes(bytes);
        return java.util.HexFormat.of().formatHex(bytes);
    }

    public static void main(String[] args) throws Exception {
        var in = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
        var random = new java.security.SecureRandom();
        var drbg = java.security.SecureRandom.getInstance("DRBG");
        var sha1 = java.security.SecureRandom.getInstance("SHA1PRNG");
        while (in.readLine() != null)
            System.out.printf("{\"SecureRandom\":\"%s\",\"uuid\":\"%s\",\"DRBG\":\"%s\",\"SHA1PRNG\":\"%s\",\"Math.random\":%.17f}%n",
                hex(random), java.util.UUID.randomUUID(), hex(drbg), hex(sha1), Math.random());
    }
}
