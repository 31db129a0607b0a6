use domain::key::query::KeyQuery;

#[test]
fn a_search_for_a_whole_secret_becomes_one_for_its_last_four_characters() {
    let zeros = format!("lk_{}0dawgh", "0".repeat(32));
    for (search, cut) in [
        (zeros.as_str(), "awgh"),
        (&format!("  {zeros}\n"), "awgh"),
        (&format!("X-API-Key: {zeros}"), "awgh"),
        (&zeros.replace("lk_", "acme_prod_"), "awgh"),
        (&zeros.replace("lk_", ""), "awgh"),
        // Only letters, as few secrets have.
        (&format!("lk_{}", "abcdefghij".repeat(4)), "ghij"),
        // A secret of another system.
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "p7dc"),
    ] {
        assert_eq!(KeyQuery::without_secret(search), cut, "{search}");
    }
    for search in [
        "",
        "9fQ2",
        "ERP nightly sync",
        "warehouse-2027-replication-service-eu-west-1",
        "Donaudampfschifffahrtskapitaen",
        "203.0.113.9",
        "01a228ed-903e-70df-8823-785abe873826",
        "ключ от склада номер двадцать семь",
    ] {
        assert_eq!(KeyQuery::without_secret(search), search);
    }
}
